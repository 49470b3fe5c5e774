//! Renames a file to an unused name, renameat2(2).

use std::{ffi::CStr, os::fd::BorrowedFd};

use nix::{
    errno::Errno,
    fcntl::{AtFlags, renameat},
    sys::stat::fstatat,
};

/// Renames a file in its directory. If something already has the new name, it stays, and the error is EEXIST.
pub(crate) fn rename_to_unused(directory: BorrowedFd<'_>, from: &CStr, to: &CStr) -> nix::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    match linux::rename_to_unused(directory, from, to) {
        // A kernel before 3.15, a file system that does not support it, such as NFS, or a filter of system calls.
        Err(Errno::ENOSYS | Errno::EINVAL | Errno::EPERM) => {}
        done => return done,
    }
    if fstatat(directory, to, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok() {
        return Err(Errno::EEXIST);
    }
    renameat(directory, from, directory, to)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::{
        ffi::CStr,
        os::fd::{AsRawFd, BorrowedFd},
    };

    use nix::{errno::Errno, libc};

    const NO_REPLACE: libc::c_uint = 1;

    /// By the call's number, because not every C library has a function for it.
    pub(super) fn rename_to_unused(directory: BorrowedFd<'_>, from: &CStr, to: &CStr) -> nix::Result<()> {
        let (fd, from, to) = (directory.as_raw_fd(), from.as_ptr(), to.as_ptr());
        // SAFETY: both names end with a NUL byte.
        Errno::result(unsafe { libc::syscall(libc::SYS_renameat2, fd, from, fd, to, NO_REPLACE) }).map(drop)
    }
}
