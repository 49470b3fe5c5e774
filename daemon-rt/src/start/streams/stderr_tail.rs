//! What a daemon wrote to standard error before it failed, for the person who started it.

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::fs::FileExt},
};

use nix::libc;

use crate::{
    stderr_buffer::{CUT, SHOWN},
    sys,
    terminal::escape_controls,
};

/// The file of standard error. It was opened when the start began: if the log is replaced by a link to a secret
/// meanwhile, nothing is shown.
#[derive(Debug)]
pub(crate) struct StderrTail {
    file: File,
    start: u64,
}

impl StderrTail {
    /// What is already in the file does not belong to the tail.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let start = file.metadata()?.len();
        Ok(Self { file, start })
    }

    /// What was written since, at most the last 64 KiB, made safe for a terminal. Empty if it cannot be read, or if our
    /// own standard error is the same file.
    pub(crate) fn appended(&self) -> String {
        match self.read() {
            Ok((bytes, is_cut)) if !self.is_own_stderr() => {
                let text = escape_controls(&bytes);
                if is_cut { format!("{CUT}\n{text}") } else { text }
            }
            _ => String::new(),
        }
    }

    fn is_own_stderr(&self) -> bool {
        sys::are_the_same(self.file.as_raw_fd(), libc::STDERR_FILENO)
    }

    /// The last bytes, and whether there were more.
    fn read(&self) -> io::Result<(Vec<u8>, bool)> {
        let end = self.file.metadata()?.len();
        let start = self.start.max(end.saturating_sub(SHOWN));
        let mut bytes = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
        let read = self.file.read_at(&mut bytes, start)?;
        bytes.truncate(read);
        Ok((bytes, start > self.start))
    }
}
