//! What became of a start, on its way from the daemon to the leader and from the leader to the launcher.

use std::{
    io::{self, Read},
    os::{
        fd::AsFd,
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::ExitStatus,
};

use crate::{Error, complaints::Complaint, sys};

/// Travels as the launcher's exit status, one byte, and behind it the daemon's process id or the text.
pub(crate) enum Report {
    /// That process is.
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
            Self::Failed { status, text } => [&[*status], text.as_bytes()].concat(),
        };
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
                return Ok(Some(Self::Ready(u32::from_ne_bytes(id))));
            }
            _ => {}
        }
        socket.read_to_end(&mut text).map_err(io::Error::other)?; // the other end is closed behind a failure
        Ok(Some(Self::Failed { status: status[0], text: String::from_utf8_lossy(&text).into_owned() }))
    }
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        Self::failed(Complaint::from(&error).into_message())
    }
}
