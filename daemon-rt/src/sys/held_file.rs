//! A file that is removed when the process that holds it ends, however it ends.

use std::{
    ffi::{CStr, CString},
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use nix::{
    fcntl::{AT_FDCWD, AtFlags},
    sys::stat::fstatat,
    unistd::unlink,
};

use super::{FileId, file_id};

/// What is needed to remove the file. It is prepared in memory.
pub(crate) struct HeldFile {
    path: CString,
    /// The descriptor that holds the lock. The program may close it.
    fd: RawFd,
}

impl HeldFile {
    pub(crate) fn new(file: BorrowedFd<'_>, path: &Path) -> io::Result<Self> {
        Ok(Self { path: CString::new(path.as_os_str().as_bytes())?, fd: file.as_raw_fd() })
    }

    /// Removes the file if it is still the one at its path, and if the process still may. Async-signal-safe,
    /// signal-safety(7): fstatat(2), fstat(2), unlink(2).
    ///
    /// A process that has just opened the file sees that it is no longer at its path.
    pub(super) fn remove(&self) {
        let path: &CStr = &self.path; // with a NUL byte at its end: nix copies other paths
        let found = fstatat(AT_FDCWD, path, AtFlags::AT_SYMLINK_NOFOLLOW);
        if matches!((found, file_id(self.fd)), (Ok(found), Ok(own)) if FileId::of(&found) == own) {
            let _ = unlink(path);
        }
    }
}
