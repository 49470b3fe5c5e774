//! Inherited descriptors. They have no owner until the program takes them.

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd, RawFd},
};

use nix::{libc, unistd::close};

use super::fd::{FileId, closes_on_exec, file_id, set_close_on_exec};

/// A descriptor, and the file that it was open on at the launch. By now the number may belong to another file.
#[derive(Debug)]
pub(crate) struct InheritedFd {
    fd: RawFd,
    /// None if the file system does not say, for example because its server is gone.
    file: Option<FileId>,
}

impl InheritedFd {
    /// To be called before any code of the program runs: then only inherited descriptors lack `FD_CLOEXEC`. Standard
    /// streams do not count.
    pub(crate) fn note(fd: RawFd) -> Option<Self> {
        let is_inherited = fd > libc::STDERR_FILENO && !closes_on_exec(fd).ok()?;
        is_inherited.then(|| Self { fd, file: file_id(fd).ok() })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.fd
    }

    /// Takes the descriptor. None if it was closed or replaced since the launch.
    pub(crate) fn take(self) -> io::Result<Option<OwnedFd>> {
        if !self.is_still_inherited() {
            return Ok(None);
        }
        set_close_on_exec(self.fd, true)?; // this marks it as taken
        // SAFETY: it is open. Exec handed it on and nobody has taken it since: an owner would have given it `FD_CLOEXEC`.
        Ok(Some(unsafe { OwnedFd::from_raw_fd(self.fd) }))
    }

    /// Closes it, unless it was closed, replaced or taken since.
    pub(crate) fn close(&self) {
        if self.is_still_inherited() {
            let _ = close(self.fd); // an error of close(2) concerns data that is not ours
        }
    }

    pub(crate) fn is_still_inherited(&self) -> bool {
        Self::note(self.fd).is_some_and(|now| match (self.file, now.file) {
            (Some(before), Some(now)) => before == now,
            _ => true,
        })
    }
}
