//! What became of a start, on its way from the daemon to the leader and from the leader to the launcher.

use std::{
    io::{self, Read},
    os::{
        fd::AsFd,
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::ExitStatus,
    time::{Duration, Instant},
};

use crate::{Error, messages::Message, sys};

/// The longest text that is read: whoever writes it may be hostile.
const LIMIT: usize = 64 * 1024;

const CUT: &str = " (cut off after 64 KiB)";

/// How long a sender waits for a reader that has stopped, and a reader for the rest of a report.
const PATIENCE: Duration = Duration::from_secs(5);

/// Travels as the launcher's exit status, one byte, and behind it the daemon's process id or the text.
pub(crate) enum Report {
    /// The process id of the daemon.
    Ready(u32),
    /// The launcher's exit status, which is not 0, and the line that it prints.
    Failed { status: u8, text: String },
}

impl Report {
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::Failed { status: 1, text: text.into() }
    }

    /// As a shell puts it: the exit status, or 128 and the signal, POSIX sh 2.8.2. An exit with 0 before ready is a
    /// failure.
    pub(crate) fn ended(who: &str, status: ExitStatus) -> Self {
        let code = match (status.code(), status.signal()) {
            (Some(0), _) | (None, None) => 1,
            (Some(code), _) => code,
            (None, Some(signal)) => 128 + signal,
        };
        let text = format!("{who} ended before it was ready: {status}");
        Self::Failed { status: u8::try_from(code).unwrap_or(1), text }
    }

    pub(crate) fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    pub(crate) fn send(&self, socket: &UnixStream) -> io::Result<()> {
        let bytes = match self {
            Self::Ready(daemon) => [&[0], &daemon.to_ne_bytes()[..]].concat(),
            Self::Failed { status, text } => {
                let _ = socket.set_write_timeout(Some(PATIENCE)); // without it, the reader is trusted to read
                let sent = text.len().min(LIMIT + 1); // one byte too many tells the reader that there is more
                [&[*status], &text.as_bytes()[..sent]].concat()
            }
        };
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let sent = sys::send(socket.as_fd(), rest)?;
            rest = &rest[sent..];
        }
        Ok(())
    }
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        Self::failed(Message::from(&error).encode())
    }
}

/// Reports why the start failed, and ends a process that is not the launcher.
pub(crate) fn give_up(reader: &UnixStream, error: Error) -> ! {
    let _ = Report::from(error).send(reader); // where nobody reads, nobody is left to tell
    sys::exit_now(1)
}

/// A report that arrives in parts. What is longer than [`LIMIT`] is not read.
#[derive(Default)]
pub(crate) struct Incoming(Vec<u8>);

/// What one read brought.
pub(crate) enum Arrived {
    Whole(Report),
    Part,
    /// The other end is closed, and there is no report.
    End,
}

impl Incoming {
    /// Reads once, which does not wait where something has come, or the other end is closed.
    pub(crate) fn advance(&mut self, mut socket: &UnixStream) -> io::Result<Arrived> {
        let mut buffer = [0; 4096];
        let read = sys::uninterrupted(|| socket.read(&mut buffer))?;
        self.0.extend_from_slice(&buffer[..read]);
        Ok(match self.0[..] {
            [0, a, b, c, d, ..] => Arrived::Whole(Report::Ready(u32::from_ne_bytes([a, b, c, d]))),
            // The other end is closed behind a failure.
            [1..=u8::MAX, _, ..] if read == 0 || self.0.len() > 1 + LIMIT => Arrived::Whole(self.failure()),
            _ if read == 0 => Arrived::End,
            _ => Arrived::Part,
        })
    }

    /// Waits for the whole report; `WouldBlock` when the time is over. Without a deadline it waits for ever until the
    /// report begins, and not for its rest. None where the other end is closed without a report.
    pub(crate) fn receive(&mut self, socket: &UnixStream, mut deadline: Option<Instant>) -> io::Result<Option<Report>> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            socket.set_read_timeout(left)?;
            match self.advance(socket)? {
                Arrived::Whole(report) => return Ok(Some(report)),
                Arrived::End => return Ok(None),
                Arrived::Part => deadline = deadline.or_else(|| Instant::now().checked_add(PATIENCE)),
            }
        }
    }

    fn failure(&self) -> Report {
        let (status, text) = self.0.split_first().unwrap_or((&1, &[]));
        let mut shown = String::from_utf8_lossy(&text[..text.len().min(LIMIT)]).into_owned();
        if text.len() > LIMIT {
            shown += CUT;
        }
        Report::Failed { status: *status, text: shown }
    }
}
