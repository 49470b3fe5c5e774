//! One log: the file, given by its path, of one stream or of both.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::{errno::Errno, sys::stat::FileStat, unistd::geteuid};

use super::{
    complaint::Complaint,
    open_log::{Location, Opened, Refusal},
    rotation::Rotation,
};
use crate::{
    Error,
    sys::{self, PinnedFile, StandardStream},
};

pub(crate) struct Log {
    /// As the daemon sees it, possibly from inside a jail.
    pub(super) location: Location,
    streams: &'static [StandardStream],
    complaint: Complaint,
    /// Pinned, so that a file of the program cannot be taken for a log that was removed or whose streams the program
    /// has closed.
    pub(super) in_place: PinnedFile,
    pub(super) rotation: Option<Rotation>,
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
        Self {
            location,
            streams,
            complaint: Complaint::new(program, format!("cannot reopen {stream} {shown_path}")),
            in_place: PinnedFile::new(in_place, pin),
            rotation: None,
        }
    }

    /// Redirects the streams of this log to the file that its path names now. Async-signal-safe, signal-safety(7).
    pub(super) fn reopen(&self) {
        let Some(first) = self.own_streams().next() else { return self.complaint.forget() };
        match self.location.open(geteuid()).and_then(|opened| self.put_in_place(opened)) {
            Ok(()) => self.complaint.settle(),
            Err(refusal) => self.complaint.make(refusal, first),
        }
    }

    /// If the program has redirected a stream itself, that stays. So does a stream that a child gets before its exec.
    pub(super) fn own_streams(&self) -> impl Iterator<Item = StandardStream> {
        self.streams.iter().copied().filter(|stream| self.in_place.is_open_on(stream.as_raw_fd()))
    }

    pub(super) fn put_in_place(&self, opened: Opened) -> Result<(), Refusal> {
        for stream in self.own_streams() {
            sys::redirect(stream, opened.file.as_fd()).map_err(|error| Errno::try_from(error).unwrap_or(Errno::EIO))?;
        }
        self.in_place.replace(opened.file, &opened.status);
        Ok(())
    }

    /// Whether the last attempt to reopen it failed.
    pub(super) fn result(&self) -> Result<(), Error> {
        self.complaint.result()
    }
}
