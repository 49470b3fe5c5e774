//! The old files of a log, from its rotations: they are in its directory, with its name and a number.

use std::{ffi::CString, os::fd::BorrowedFd};

use nix::{
    errno::Errno,
    fcntl::AtFlags,
    sys::stat::{SFlag, fstatat},
    unistd::{UnlinkatFlags, unlinkat},
};

use super::open_log::Refusal;
use crate::sys::{self, FileId};

pub(crate) struct Numbered<'log> {
    pub(crate) directory: BorrowedFd<'log>,
    /// The log's own name.
    pub(crate) name: &'log CString,
    pub(crate) keep: u32,
}

impl Numbered<'_> {
    /// The names that a rotation would change, if it is possible. The log's own name comes first.
    pub(crate) fn names(&self) -> Result<Vec<CString>, Refusal> {
        self.is_file(self.keep.max(1))?; // this is the longest name
        let numbered = (1..=self.count()?).map(|number| self.of(number));
        Ok([self.name.clone()].into_iter().chain(numbered).collect())
    }

    /// The log becomes number 1, and the others make room. Until the log has its number, no step replaces or removes a
    /// file that is to be kept: a step may fail, or another program may do the same meanwhile. In the latter case this
    /// returns false and leaves it to the other program.
    pub(super) fn rotate(&self, is_ours: impl Fn() -> Result<bool, Refusal>) -> Result<bool, Refusal> {
        let (count, last) = (self.count()?, self.keep.max(1));
        (last.saturating_add(1)..=count).try_for_each(|number| self.remove(number))?;
        if count >= last && !matches!(self.make_room(last), Ok(true)) {
            self.remove(last)?; // there is no other name for it, or no room for one
        }
        for number in (1..last.min(count + 1)).rev() {
            if !self.make_room(number)? {
                return Ok(false);
            }
        }
        if !is_ours()? || !self.rename(self.name, &self.of(1))? {
            return Ok(false);
        }
        if self.count()? > last {
            self.remove(last + 1)?;
        }
        Ok(true)
    }

    /// If none is to be kept, removes the log itself, provided that it is still number 1.
    pub(super) fn remove_log(&self, log: FileId) -> Result<(), Refusal> {
        let first = fstatat(self.directory, &*self.of(1), AtFlags::AT_SYMLINK_NOFOLLOW);
        if first.is_ok_and(|status| FileId::of(&status) == log) { self.remove(1) } else { Ok(()) }
    }

    /// How many there are without a gap. Above a gap, no file has to make room.
    fn count(&self) -> Result<u32, Refusal> {
        let mut count = 0;
        loop {
            let next = count + 1;
            match self.is_file(next) {
                Ok(true) if next < u32::MAX => count = next,
                // It is in nobody's way, or the name has no room for its number.
                Err(Refusal::NotAFile | Refusal::System(Errno::ENAMETOOLONG)) if next > self.keep.max(1) => {
                    return Ok(count);
                }
                Ok(_) => return Ok(count),
                Err(refusal) => return Err(refusal),
            }
        }
    }

    /// False if there is nothing. If it is not a regular file, somebody else put it there, such as a link that leads
    /// elsewhere.
    fn is_file(&self, number: u32) -> Result<bool, Refusal> {
        match fstatat(self.directory, &*self.of(number), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(status) if sys::kind_of(&status) == SFlag::S_IFREG => Ok(true),
            Ok(_) => Err(Refusal::NotAFile),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn make_room(&self, number: u32) -> Result<bool, Refusal> {
        self.rename(&self.of(number), &self.of(number + 1))
    }

    /// False if the new name is taken. Another program may also have moved the file meanwhile.
    fn rename(&self, from: &CString, to: &CString) -> Result<bool, Refusal> {
        match sys::rename_to_unused(self.directory, from, to) {
            Ok(()) | Err(Errno::ENOENT) => Ok(true),
            Err(Errno::EEXIST) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn remove(&self, number: u32) -> Result<(), Refusal> {
        match unlinkat(self.directory, &*self.of(number), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn of(&self, number: u32) -> CString {
        let name = [self.name.as_bytes(), format!(".{number}").as_bytes()].concat();
        CString::new(name).unwrap_or_default() // neither part contains a NUL byte
    }
}
