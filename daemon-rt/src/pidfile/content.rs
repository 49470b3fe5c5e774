//! What stands in a pidfile: a process id in decimal and a newline.

#[cfg(test)]
mod tests;

use std::{fs::File, io, os::unix::fs::FileExt};

use nix::unistd::Pid;

use crate::sys;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Empty,
    Pid(Pid),
    Malformed,
}

impl Content {
    pub(super) fn read(file: &File) -> io::Result<Self> {
        let mut bytes = [0; 16]; // more than any process id has
        let mut length = 0;
        loop {
            // A file system of a network may be interrupted.
            match sys::uninterrupted(|| file.read_at(&mut bytes[length..], length as u64))? {
                0 => return Ok(Self::parse(&bytes[..length])),
                read => length += read,
            }
        }
    }

    /// Neither a sign nor a leading zero: to kill(2), 0 is the caller's process group, and -1 is everyone.
    fn parse(bytes: &[u8]) -> Self {
        let digits = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if bytes.is_empty() {
            return Self::Empty;
        }
        if digits.starts_with(b"0") || !digits.iter().all(u8::is_ascii_digit) {
            return Self::Malformed;
        }
        match std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()) {
            Some(pid) => Self::Pid(Pid::from_raw(pid)),
            None => Self::Malformed,
        }
    }
}
