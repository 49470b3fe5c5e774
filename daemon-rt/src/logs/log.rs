//! One log: the file of a stream that was given by its path, or of both.

use std::{
    io::Write,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::atomic::{AtomicBool, AtomicI32, Ordering::Relaxed},
};

use nix::{
    errno::Errno,
    libc,
    sys::stat::{FileStat, SFlag},
    unistd::geteuid,
};

use super::open_log::{Location, Opened, Refusal};
use crate::{
    Error,
    sys::{self, PinnedFile, StandardStream},
};

/// The fields that change are atomic because a signal handler changes them. One caller at a time reopens.
pub(crate) struct Log {
    /// As the daemon sees it, which may be from a jail.
    location: Location,
    streams: &'static [StandardStream],
    /// What an error says that it could not do.
    failure: String,
    /// The same as the beginning of a line in the log.
    complaint: String,
    /// It is pinned: a file of the program's is not taken for a log that was removed, or whose streams the program has
    /// closed.
    in_place: PinnedFile,
    /// Why the last attempt failed; 0 if it did not.
    refusal: AtomicI32,
    is_told: AtomicBool,
}

impl Log {
    pub(crate) fn new(
        program: &str,
        stream: &str,
        streams: &'static [StandardStream],
        shown_path: &str,
        location: Location,
        in_place: &FileStat,
        pin: OwnedFd,
    ) -> Self {
        let failure = format!("cannot reopen {stream} {shown_path}");
        Self {
            location,
            streams,
            complaint: format!("{program}: {failure}: "),
            failure,
            in_place: PinnedFile::new(in_place, pin),
            refusal: AtomicI32::new(0),
            is_told: AtomicBool::new(false),
        }
    }

    /// Redirects the streams of this log to the file that its path leads to now. Async-signal-safe, signal-safety(7).
    ///
    /// A stream that the program itself redirected stays as it is, and so does one that a child is given before it execs.
    pub(super) fn reopen(&self) {
        let is_own = |stream: &StandardStream| self.in_place.is_open_on(stream.as_raw_fd());
        let mut own = self.streams.iter().copied().filter(is_own).peekable();
        let Some(&first) = own.peek() else { return self.refusal.store(0, Relaxed) };
        let put_in_place = || -> Result<Opened, Refusal> {
            let opened = self.location.open(geteuid())?;
            for stream in own {
                sys::redirect(stream, opened.file.as_fd())
                    .map_err(|error| Errno::try_from(error).unwrap_or(Errno::EIO))?;
            }
            Ok(opened)
        };
        match put_in_place() {
            Ok(Opened { file, status, .. }) => {
                self.in_place.replace(file, &status);
                self.refusal.store(0, Relaxed);
                self.is_told.store(false, Relaxed);
            }
            Err(refusal) => {
                self.refusal.store(refusal.into(), Relaxed);
                self.tell(refusal, first);
            }
        }
    }

    /// Says in the old log, once, why it stays in use. Only in a regular file: a FIFO may be full, or have no reader.
    fn tell(&self, refusal: Refusal, old: StandardStream) {
        let is_file = sys::status_of(old.as_raw_fd()).is_ok_and(|status| sys::kind_of(&status) == SFlag::S_IFREG);
        if !is_file || self.is_told.load(Relaxed) {
            return;
        }
        let mut buffer = [0; 128];
        let mut rest = &mut buffer[..];
        let _ = writeln!(rest, "{refusal}"); // cut off where there is no more room
        let unused = rest.len();
        let why = buffer.split_at(buffer.len().saturating_sub(unused)).0;
        let on_limit = sys::ignore(libc::SIGXFSZ); // the file may have reached its limit, setrlimit(2)
        self.is_told.store(sys::write_at_once(old, [self.complaint.as_bytes(), why]).is_ok(), Relaxed);
        on_limit.restore();
    }

    /// Whether the last attempt failed.
    pub(super) fn result(&self) -> Result<(), Error> {
        match self.refusal.load(Relaxed) {
            0 => Ok(()),
            number => Err(Error::because(self.failure.clone(), Refusal::from(number).explained())),
        }
    }
}
