//! The report on what became of a start. It goes from the daemon to the leader, from there to the launcher, and from
//! the launcher to a program that called `spawn`.

#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    io::{self, Read},
    os::{fd::AsFd, unix::net::UnixStream},
    process::ExitStatus,
    time::{Duration, Instant},
};

use crate::{Error, run::Ready, sys};

/// The longest text that is read from a daemon, which may be hostile.
const LIMIT: usize = 64 * 1024;

/// The longest text from a launcher. It contains the end of the daemon's standard error, with each control character
/// escaped.
const LAUNCHERS_LIMIT: usize = 16 * LIMIT;

const CUT: &str = " (cut off after 64 KiB)";

/// Status and length come first.
const HEADER: usize = 1 + size_of::<u32>();

/// How long a sender waits for a reader that was stopped, and a reader for the rest of a report.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a sender may take that was stopped and continues. A leader ends the group before that.
const GRACE: Duration = Duration::from_secs(10);

/// Whatever has arrived is read even after the deadline: this process may have been stopped.
const A_LOOK: Duration = Duration::from_millis(1);

/// It is sent as the launcher's exit status, in one byte; the length of the rest, in four bytes; and the daemon's
/// process id with its message, or the error.
pub(crate) enum Report {
    Ready(Ready),
    Failed(Error),
}

impl Report {
    pub(crate) fn failed(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Failed(Error::new(text))
    }

    pub(crate) fn ended(who: &str, status: ExitStatus) -> Self {
        Self::Failed(Error::ended(who, status))
    }

    pub(crate) fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    pub(crate) fn send(&self, socket: &UnixStream) -> io::Result<()> {
        let (status, text, limit) = match self {
            Self::Ready(Ready { daemon, message }) => {
                (0, [&daemon.to_ne_bytes(), message.as_bytes()].concat(), 2 * LIMIT)
            }
            Self::Failed(error) => (error.exit_status(), error.encode().into_bytes(), LAUNCHERS_LIMIT),
        };
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let text = &text[..text.len().min(limit)]; // a text that was cut off says so, and nobody reads more
        if text.len() > size_of::<u32>() {
            let _ = socket.set_write_timeout(Some(PATIENCE)); // without a timeout, the reader is trusted to read
        }
        let bytes = [&[status], &length.to_ne_bytes()[..], text].concat();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let sent = sys::send(socket.as_fd(), rest)?;
            rest = &rest[sent..];
        }
        Ok(())
    }

    fn parse(status: u8, text: &[u8], is_cut: bool) -> Self {
        let string = |bytes| String::from_utf8_lossy(bytes).into_owned() + if is_cut { CUT } else { "" };
        match (status, text.split_first_chunk()) {
            (0, Some((daemon, message))) => {
                Self::Ready(Ready { daemon: u32::from_ne_bytes(*daemon), message: string(message) })
            }
            (0, None) => Self::Ready(Ready::default()),
            _ => Self::Failed(Error::decode(status, &string(text))),
        }
    }
}

impl Report {
    /// Removes what a daemon cannot know, and so must have forged.
    fn of_daemon(self) -> Self {
        match self {
            Self::Failed(error) => Self::Failed(error.of_daemon()),
            ready @ Self::Ready(_) => ready,
        }
    }
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Reports why the start failed, and ends this process, which is not the launcher.
pub(crate) fn give_up(reader: &UnixStream, error: Error) -> ! {
    let _ = Report::from(error).send(reader); // if this fails, nobody is left to tell
    sys::exit_now(1)
}

/// A report that arrives in parts. Whatever exceeds the limit is not read.
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    limit: usize,
}

/// The result of one read.
pub(crate) enum Arrived {
    Whole(Report),
    Part,
    /// The other end is closed, and there was no report.
    End,
}

impl Incoming {
    /// From a daemon, or from the leader that passes it on.
    pub(crate) fn from_daemon() -> Self {
        Self { bytes: Vec::new(), limit: LIMIT }
    }

    /// From a launcher.
    pub(crate) fn from_launcher() -> Self {
        Self { bytes: Vec::new(), limit: LAUNCHERS_LIMIT }
    }

    /// Reads once. It does not wait if something has arrived, or the other end is closed.
    pub(crate) fn advance(&mut self, mut socket: &UnixStream) -> io::Result<Arrived> {
        if let Some(report) = self.take(false) {
            return Ok(Arrived::Whole(report)); // it came after the last one
        }
        let mut buffer = [0; 512]; // most reports are shorter
        let read = match socket.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Arrived::Part), // same deadline
            read => read?,
        };
        self.bytes.extend_from_slice(&buffer[..read]);
        let is_end = read == 0;
        let nothing_yet = if is_end { Arrived::End } else { Arrived::Part };
        Ok(self.take(is_end).map_or(nothing_yet, Arrived::Whole))
    }

    /// The report, if it is complete. For a failure, whatever came before its sender ended counts.
    fn take(&mut self, is_end: bool) -> Option<Report> {
        let (&[status, ref length @ ..], text) = self.bytes.split_first_chunk::<HEADER>()?;
        let announced = usize::try_from(u32::from_ne_bytes(*length)).unwrap_or(usize::MAX);
        let text = &text[..text.len().min(announced).min(self.limit)];
        let is_whole = text.len() == announced.min(self.limit);
        let is_all_that_comes = is_end && status != 0;
        if !(is_whole || is_all_that_comes) {
            return None;
        }
        let report = Report::parse(status, text, text.len() < announced);
        let taken = HEADER + text.len();
        self.bytes.drain(..taken);
        Some(if self.limit == LIMIT { report.of_daemon() } else { report })
    }

    /// The same as [`receive`](Self::receive). But if the deadline has passed, the sender may be stopped: `resume`
    /// continues it.
    pub(crate) fn receive_or_resume(
        &mut self,
        socket: &UnixStream,
        deadline: Option<Instant>,
        resume: impl FnOnce(),
    ) -> io::Result<Option<Report>> {
        match self.receive(socket, deadline) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                resume();
                self.receive(socket, Some(Instant::now() + GRACE))
            }
            report => report,
        }
    }

    /// Waits for the whole report; `WouldBlock` when the deadline has passed. Without a deadline, it waits for ever
    /// until the report begins, but not for the rest of it. None if the other end is closed without a report.
    fn receive(&mut self, socket: &UnixStream, mut deadline: Option<Instant>) -> io::Result<Option<Report>> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let is_over = left.is_some_and(|left| left.is_zero());
            socket.set_read_timeout(left.map(|left| left.max(A_LOOK)))?;
            match self.advance(socket)? {
                Arrived::Whole(report) => return Ok(Some(report)),
                Arrived::End => return Ok(None),
                Arrived::Part if is_over => return Err(io::ErrorKind::WouldBlock.into()),
                Arrived::Part => deadline = deadline.or_else(|| Instant::now().checked_add(PATIENCE)),
            }
        }
    }
}
