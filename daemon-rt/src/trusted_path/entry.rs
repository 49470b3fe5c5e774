//! A name in an open directory.

use std::{ffi::OsString, fs::File, io, os::fd::OwnedFd};

use nix::{
    fcntl::{AtFlags, OFlag, openat},
    sys::stat::{FileStat, Mode, fstatat},
    unistd::{UnlinkatFlags, unlinkat},
};

use crate::sys;

/// Where a file is, or will be. The name is `.` if the path names a directory.
pub(crate) struct Entry {
    pub(crate) directory: OwnedFd,
    pub(crate) name: OsString,
}

impl Entry {
    /// openat(2).
    pub(crate) fn open(&self, flags: OFlag, mode: Mode) -> io::Result<File> {
        sys::uninterrupted(|| Ok(openat(&self.directory, self.name.as_os_str(), flags, mode)?.into()))
    }

    /// The status of a symbolic link itself, not of its target.
    pub(crate) fn status(&self) -> io::Result<FileStat> {
        Ok(fstatat(&self.directory, self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?)
    }

    /// Removes the file, if that is permitted.
    pub(crate) fn remove(&self) {
        let _ = unlinkat(&self.directory, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir);
    }
}
