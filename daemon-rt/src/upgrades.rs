//! The results of a supervisor's upgrades: a file in memory. Whoever asked for an upgrade finds it among the
//! supervisor's descriptors. The two may have different versions of this library, so the name of the file contains a
//! version.
//!
//! The first 32 bytes say how many upgrades there were, and how the last one ended: `done` or `failed`, with spaces
//! around both. They are written last. The reason for a failure follows.
//!
//! A third word, `begun`, says that another one is under way. It is written before the new program is executed. Older
//! versions neither write nor read it: a reader ignores the words that it does not know.

#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io::{self, Write},
    os::{
        fd::{AsFd, AsRawFd, RawFd},
        unix::fs::FileExt,
    },
    str,
};

use nix::{libc, unistd::Pid};

use crate::sys;

const NAME: &str = "daemon-upgrades-1";

const HEADER: usize = 32;

/// The longest reason.
pub(crate) const LIMIT: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Upgrades(File);

/// How many upgrades there were, how the last one ended, and whether another one is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Last {
    pub(crate) count: u32,
    pub(crate) is_done: bool,
    pub(crate) has_begun_another: bool,
}

impl Upgrades {
    /// In the supervisor, before any upgrade.
    pub(crate) fn none() -> io::Result<Self> {
        let upgrades = Self(file_in_memory()?);
        upgrades.write(Last::default())?;
        Ok(upgrades)
    }

    /// The upgrades of that process, if it is a supervisor that can be upgraded.
    pub(crate) fn of(process: Pid) -> io::Result<Option<Self>> {
        let name = format!("/memfd:{NAME} (deleted)");
        for descriptor in fs::read_dir(format!("/proc/{process}/fd"))? {
            let path = descriptor?.path();
            if fs::read_link(&path).is_ok_and(|target| target.as_os_str() == name.as_str()) {
                return File::open(path).map(|file| Some(Self(file)));
            }
        }
        Ok(None)
    }

    /// Notes that another upgrade is about to begin. It does not allocate.
    pub(crate) fn note_beginning(&self) -> io::Result<()> {
        self.write(Last { has_begun_another: true, ..self.last()? })
    }

    /// Notes the end of another upgrade. It does not allocate.
    pub(crate) fn note(&self, failure: Option<&[u8]>) -> io::Result<()> {
        let count = self.last()?.count.wrapping_add(1);
        let reason = failure.unwrap_or_default();
        let reason = &reason[..reason.len().min(LIMIT)];
        let is_noted = self.0.set_len(HEADER as u64).and_then(|()| self.0.write_all_at(reason, HEADER as u64));
        // Even if there is no room for the reason: otherwise, the next caller would wait for the end of this upgrade.
        self.write(Last { count, is_done: failure.is_none(), has_begun_another: false })?;
        is_noted
    }

    fn write(&self, last: Last) -> io::Result<()> {
        let mut header = [b' '; HEADER];
        let word = if last.is_done { "done" } else { "failed" };
        let another = if last.has_begun_another { "begun" } else { "" };
        write!(&mut header[..], "{} {word} {another}", last.count)?;
        self.0.write_all_at(&header, 0)
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    pub(crate) fn last(&self) -> io::Result<Last> {
        let mut header = [0; HEADER];
        self.0.read_exact_at(&mut header, 0)?;
        let mut words = str::from_utf8(&header).unwrap_or_default().split_ascii_whitespace();
        let count = words.next().and_then(|count| count.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Last { count, is_done: words.next() == Some("done"), has_begun_another: words.next() == Some("begun") })
    }

    /// Why the last one failed.
    pub(crate) fn reason(&self) -> io::Result<String> {
        let mut reason = vec![0; LIMIT];
        let mut length = 0;
        loop {
            match self.0.read_at(&mut reason[length..], (HEADER + length) as u64)? {
                0 => return Ok(String::from_utf8_lossy(&reason[..length]).into_owned()),
                read => length += read,
            }
        }
    }

    /// Whoever asks for an upgrade locks it, so that each learns the result of its own.
    pub(crate) fn lock(&self) -> io::Result<bool> {
        sys::lock(self.0.as_fd(), libc::LOCK_EX)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn file_in_memory() -> io::Result<File> {
    use nix::sys::memfd::{MFdFlags, memfd_create};
    Ok(memfd_create(NAME, MFdFlags::MFD_CLOEXEC)?.into())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn file_in_memory() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}
