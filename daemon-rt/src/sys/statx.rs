//! What the kernel knows about a file without asking its file system, statx(2).

use std::{
    ffi::CStr,
    io,
    os::fd::{BorrowedFd, RawFd},
    path::Path,
};

use nix::{
    fcntl::{AT_FDCWD, AtFlags},
    sys::stat::fstatat,
};

use super::fd::{FileId, file_id};

/// The file that a path leads to. The answer may be as old as the last one of its file system. So a server that does
/// not answer, of a file system in user space, delays nobody.
pub(crate) fn cached_file_id(path: &Path) -> io::Result<FileId> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    match linux::cached_file_id(path) {
        // A kernel before 4.11, or a filter of system calls.
        Err(error) if matches!(error.raw_os_error(), Some(nix::libc::ENOSYS | nix::libc::EPERM)) => {}
        answer => return answer,
    }
    Ok(FileId::of(&fstatat(AT_FDCWD, path, AtFlags::empty())?))
}

/// The file that a descriptor is open on. This also works if another host has removed the file, for which fstat(2)
/// fails with ESTALE. Async-signal-safe, signal-safety(7).
pub(crate) fn cached_file_id_of(fd: RawFd) -> io::Result<FileId> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Ok(found) = linux::cached_file_id_of(fd) {
        return Ok(found);
    }
    file_id(fd)
}

/// Whether a file is append-only, immutable, or the root of a mount: then it cannot be renamed, rename(2). Only Linux
/// shows this.
pub(crate) fn is_kept_from_renames(directory: BorrowedFd<'_>, name: &CStr) -> io::Result<bool> {
    Ok(attributes(directory, name)? & (IMMUTABLE | APPEND | MOUNT_ROOT) != 0)
}

/// Whether files in a directory can never be renamed. Only Linux shows this.
pub(crate) fn is_append_only(directory: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(attributes(directory, c"")? & APPEND != 0)
}

const IMMUTABLE: u64 = 0x10;
const APPEND: u64 = 0x20;
const MOUNT_ROOT: u64 = 0x2000;

/// The attributes of a file in that directory, or of the directory itself.
fn attributes(directory: BorrowedFd<'_>, name: &CStr) -> io::Result<u64> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    match linux::attributes(directory, name) {
        Err(error) if matches!(error.raw_os_error(), Some(nix::libc::ENOSYS | nix::libc::EPERM)) => {} // as above
        answer => return answer,
    }
    let _ = (directory, name);
    Ok(0)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::{
        ffi::{CStr, CString},
        io, mem,
        os::{
            fd::{AsRawFd, BorrowedFd, RawFd},
            unix::ffi::OsStrExt,
        },
        path::Path,
    };

    use nix::{errno::Errno, libc, sys::stat::makedev};

    use super::FileId;

    const DONT_SYNC: libc::c_int = 0x4000;
    const INO: libc::c_uint = 0x100;

    /// `struct statx`. libc does not have it for every C library.
    #[repr(C)]
    struct Status {
        mask_and_block: u64,
        attributes: u64,
        before_inode: [u64; 2],
        inode: u64,
        before_device: [u64; 12],
        device: [u32; 2],
        rest: [u64; 14],
    }

    pub(super) fn cached_file_id(path: &Path) -> io::Result<FileId> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        Ok(file_id(&statx(libc::AT_FDCWD, &path, DONT_SYNC, INO)?)?)
    }

    pub(super) fn cached_file_id_of(fd: RawFd) -> io::Result<FileId> {
        Ok(file_id(&statx(fd, c"", libc::AT_EMPTY_PATH | DONT_SYNC, INO)?)?)
    }

    #[allow(clippy::useless_conversion, reason = "some systems have 32 bits for it")]
    fn file_id(status: &Status) -> nix::Result<FileId> {
        let [major, minor] = status.device.map(u64::from);
        Ok(FileId { device: makedev(major, minor), inode: status.inode.try_into().map_err(|_| Errno::EOVERFLOW)? })
    }

    pub(super) fn attributes(directory: BorrowedFd<'_>, name: &CStr) -> io::Result<u64> {
        let flags = libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW;
        Ok(statx(directory.as_raw_fd(), name, flags, 0)?.attributes)
    }

    fn statx(directory: RawFd, path: &CStr, flags: libc::c_int, mask: libc::c_uint) -> nix::Result<Status> {
        // SAFETY: all zeroes is a valid status.
        let mut status: Status = unsafe { mem::zeroed() };
        // SAFETY: `path` ends with a NUL byte, and `status` is a valid place for the result.
        Errno::result(unsafe {
            libc::syscall(libc::SYS_statx, directory, path.as_ptr(), flags, mask, &raw mut status)
        })?;
        Ok(status)
    }
}
