//! What became of a start, on its way from the daemon to the leader and from the leader to the launcher.

use std::{
    io::{self, Read},
    os::{
        fd::AsFd,
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::ExitStatus,
};

use crate::{Error, sys};

/// The launcher's exit status, and the line that it prints. Travels as one byte and the text behind it, or behind a 0
/// the daemon's process id.
pub(crate) struct Report {
    pub(crate) status: u8,
    pub(crate) text: String,
    /// 0 unless it is ready.
    pub(crate) daemon: u32,
}

impl Report {
    pub(crate) fn ready(daemon: u32) -> Self {
        Self { status: 0, text: String::new(), daemon }
    }

    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self { status: 1, text: text.into(), daemon: 0 }
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
        Self { status: u8::try_from(code).unwrap_or(1), text, daemon: 0 }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.status == 0
    }

    pub(crate) fn send(&self, socket: &UnixStream) -> io::Result<()> {
        let id = self.daemon.to_ne_bytes();
        let rest = if self.is_ready() { &id[..] } else { self.text.as_bytes() };
        let bytes = [&[self.status], rest].concat();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let sent = sys::send(socket.as_fd(), rest)?;
            rest = &rest[sent..];
        }
        Ok(())
    }

    /// The report that comes in, or none where the other end is closed without one. `WouldBlock` means that none has
    /// come yet, and never that half of one has.
    pub(crate) fn receive(mut socket: &UnixStream) -> io::Result<Option<Self>> {
        let mut status = [0];
        let mut text = Vec::new();
        match sys::uninterrupted(|| socket.read(&mut status))? {
            0 => return Ok(None),
            _ if status == [0] => {
                let mut id = [0; 4];
                socket.read_exact(&mut id).map_err(io::Error::other)?; // the other end stays open behind it
                return Ok(Some(Self::ready(u32::from_ne_bytes(id))));
            }
            _ => {}
        }
        socket.read_to_end(&mut text).map_err(io::Error::other)?; // the other end is closed behind a failure
        Ok(Some(Self { status: status[0], text: String::from_utf8_lossy(&text).into_owned(), daemon: 0 }))
    }
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        Self::failed(format!("{error:#}"))
    }
}
