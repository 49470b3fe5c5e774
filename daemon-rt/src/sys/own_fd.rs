//! A descriptor that the program may close.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd},
};

use nix::libc;

use super::fd::{FileId, file_id};

/// If the program closes descriptors that are not its own, another file may get the number of this one. That file is
/// left alone.
#[derive(Debug)]
pub(crate) struct OwnFd {
    fd: RawFd,
    file: FileId,
}

impl OwnFd {
    pub(crate) fn new(fd: impl Into<OwnedFd>) -> io::Result<Self> {
        let fd = fd.into();
        Ok(Self { file: file_id(fd.as_raw_fd())?, fd: fd.into_raw_fd() })
    }

    /// None if the program closed it. Async-signal-safe, signal-safety(7): fstat(2).
    pub(crate) fn get(&self) -> Option<BorrowedFd<'_>> {
        // SAFETY: it is open, and nobody else's.
        self.has_file_under(self.fd).then(|| unsafe { BorrowedFd::borrow_raw(self.fd) })
    }

    /// Whether that number still refers to the same file. Async-signal-safe, as above.
    pub(crate) fn has_file_under(&self, fd: RawFd) -> bool {
        file_id(fd).map_or_else(|error| error.raw_os_error() != Some(libc::EBADF), |file| file == self.file)
    }

    /// For a value that is never dropped. It must not be used after this.
    pub(crate) fn close(&self) {
        if self.has_file_under(self.fd) {
            // SAFETY: as above.
            unsafe { libc::close(self.fd) };
        }
    }
}

impl Drop for OwnFd {
    fn drop(&mut self) {
        self.close();
    }
}
