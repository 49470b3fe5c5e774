//! What is said when a log could not be renamed or opened. It is said once, until it works again.

use std::{
    io::Write,
    os::fd::AsRawFd,
    sync::atomic::{AtomicBool, AtomicI32, Ordering::Relaxed},
};

use nix::{libc, sys::stat::SFlag};

use super::open_log::Refusal;
use crate::{
    Error,
    sys::{self, StandardStream},
};

/// Fields that change are atomic, because a signal handler changes them. Only one caller at a time does.
pub(super) struct Complaint {
    /// What could not be done.
    what: String,
    /// The same as the beginning of a line in the log.
    line: String,
    /// Why the last attempt failed; 0 if it did not.
    refusal: AtomicI32,
    is_told: AtomicBool,
}

impl Complaint {
    pub(super) fn new(program: &str, what: String) -> Self {
        let line = format!("{program}: {what}: ");
        Self { what, line, refusal: AtomicI32::new(0), is_told: AtomicBool::new(false) }
    }

    /// The problem is over.
    pub(super) fn settle(&self) {
        self.forget();
        self.is_told.store(false, Relaxed);
    }

    /// There was no attempt.
    pub(super) fn forget(&self) {
        self.refusal.store(0, Relaxed);
    }

    /// Writes once to the old log why it stays in use. Only if it is a regular file: a FIFO may be full, or have no
    /// reader. Async-signal-safe, signal-safety(7).
    pub(super) fn make(&self, refusal: Refusal, old: StandardStream) {
        self.refusal.store(refusal.into(), Relaxed);
        let is_file = sys::status_of(old.as_raw_fd()).is_ok_and(|status| sys::kind_of(&status) == SFlag::S_IFREG);
        if !is_file || self.is_told.load(Relaxed) {
            return;
        }
        let mut buffer = [0; 128];
        let mut rest = &mut buffer[..];
        let _ = writeln!(rest, "{refusal}"); // cut off if there is no more room
        let unused = rest.len();
        let why = buffer.split_at(buffer.len().saturating_sub(unused)).0;
        let on_limit = sys::ignore(libc::SIGXFSZ); // the file may have reached its limit, setrlimit(2)
        self.is_told.store(sys::write_at_once(old, [self.line.as_bytes(), why]).is_ok(), Relaxed);
        on_limit.restore();
    }

    /// What has not been said yet, because the log does not take it. It can then be said elsewhere.
    pub(super) fn untold(&self) -> Option<String> {
        let is_told = self.is_told.swap(true, Relaxed);
        self.result().err().filter(|_| !is_told).map(|error| format!("{error:#}"))
    }

    /// Whether the last attempt failed.
    pub(super) fn result(&self) -> Result<(), Error> {
        match self.refusal.load(Relaxed) {
            0 => Ok(()),
            number => Err(Error::because(self.what.clone(), Refusal::from(number).explained())),
        }
    }
}
