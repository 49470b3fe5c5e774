//! What a log was before its rotations: files in its directory, with its name and a number.

use std::{ffi::CString, os::fd::BorrowedFd};

use nix::{
    errno::Errno,
    fcntl::{AtFlags, renameat},
    sys::stat::{SFlag, fstatat},
    unistd::{UnlinkatFlags, unlinkat},
};

use super::open_log::Refusal;
use crate::sys;

pub(crate) struct Numbered<'log> {
    pub(crate) directory: BorrowedFd<'log>,
    /// The log's own.
    pub(crate) name: &'log CString,
    pub(crate) keep: u32,
}

impl Numbered<'_> {
    /// Whether a rotation could name its files so.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        self.is_file(self.keep.max(1))?; // the longest name
        self.count().map(drop)
    }

    /// Frees the number 1. What is beyond `keep` goes first, so that no file takes the name of another.
    pub(super) fn shift(&self) -> Result<(), Refusal> {
        let count = self.count()?;
        let last = self.keep.max(1);
        for number in last..=count {
            done_or_gone(unlinkat(self.directory, &*self.of(number), UnlinkatFlags::NoRemoveDir))?;
        }
        for number in (1..last.min(count.saturating_add(1))).rev() {
            self.rename(&self.of(number), &self.of(number + 1))?;
        }
        Ok(())
    }

    /// The log itself becomes the first.
    pub(super) fn rename_log(&self) -> Result<(), Refusal> {
        self.rename(self.name, &self.of(1))
    }

    /// Where none is to be kept.
    pub(super) fn remove_first(&self) -> Result<(), Refusal> {
        done_or_gone(unlinkat(self.directory, &*self.of(1), UnlinkatFlags::NoRemoveDir))
    }

    /// How many there are without a gap. Behind a gap nothing has to make room.
    fn count(&self) -> Result<u32, Refusal> {
        let mut count = 0;
        loop {
            let next = count + 1;
            match self.is_file(next) {
                Ok(true) if next < u32::MAX => count = next,
                // It is in nobody's way, or has no room in a name.
                Err(Refusal::NotAFile | Refusal::System(Errno::ENAMETOOLONG)) if next > self.keep.max(1) => {
                    return Ok(count);
                }
                Ok(_) => return Ok(count),
                Err(refusal) => return Err(refusal),
            }
        }
    }

    /// False where there is nothing. What is there and no regular file was put there by somebody else, as a link that
    /// leads astray.
    fn is_file(&self, number: u32) -> Result<bool, Refusal> {
        match fstatat(self.directory, &*self.of(number), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(status) if sys::kind_of(&status) == SFlag::S_IFREG => Ok(true),
            Ok(_) => Err(Refusal::NotAFile),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn rename(&self, from: &CString, to: &CString) -> Result<(), Refusal> {
        done_or_gone(renameat(self.directory, &**from, self.directory, &**to))
    }

    fn of(&self, number: u32) -> CString {
        let name = [self.name.as_bytes(), format!(".{number}").as_bytes()].concat();
        CString::new(name).unwrap_or_default() // neither part has a NUL byte
    }
}

/// Another program may have removed it meanwhile.
fn done_or_gone(done: nix::Result<()>) -> Result<(), Refusal> {
    match done {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
