//! What a daemon wrote to its error stream before it failed, for the person who started it.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::fs::FileExt},
};

use nix::libc;

use crate::{sys, terminal::escape_controls};

/// The last words are those that matter.
const LIMIT: u64 = 64 * 1024;

/// The error stream, opened when the start began: a log that is replaced by a link to a secret meanwhile shows nothing.
#[derive(Debug)]
pub(crate) struct ErrorStream {
    file: File,
    start: u64,
}

impl ErrorStream {
    /// Everything that is in the file now was there before.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let start = file.metadata()?.len();
        Ok(Self { file, start })
    }

    /// What was written since, at most the last 64 KiB of it, fit for a terminal; empty where it cannot be read, or
    /// would be written to the file that it comes from.
    pub(crate) fn appended(&self) -> String {
        match self.read() {
            Ok(bytes) if !self.is_own_stderr() => escape_controls(&bytes),
            _ => String::new(),
        }
    }

    fn is_own_stderr(&self) -> bool {
        sys::are_the_same(self.file.as_raw_fd(), libc::STDERR_FILENO)
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let end = self.file.metadata()?.len();
        let start = self.start.max(end.saturating_sub(LIMIT));
        let mut bytes = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
        let read = self.file.read_at(&mut bytes, start)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}
