//! The content of a pidfile: a process id in decimal and a newline, or several newlines.

#[cfg(test)]
mod tests;

use std::{fs::File, io, os::unix::fs::FileExt, path::Path, str};

use nix::unistd::Pid;

use super::open_pidfile;
use crate::sys;

/// More than any program writes around a process id.
const LIMIT: usize = 64;

/// How long the content is that names a supervisor. A number has at most seven digits, `pid_max` in proc(5), and at least two
/// newlines follow.
const SUPERVISORS: usize = 9;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Empty,
    /// A process id without its newline: half written, or from a program that writes none.
    Unfinished(Pid),
    Pid(Pid),
    /// At most one number, with other white space or out of the range of process ids.
    Unusual,
    /// Not a pidfile at all.
    Foreign,
}

/// The text always has the same length: in an upgrade, one write replaces a number by another, and no reader sees a mix of
/// both.
pub(super) fn of_supervisor(pid: u32) -> String {
    format!("{pid:\n<SUPERVISORS$}")
}

pub(super) fn names_supervisor(path: &Path) -> bool {
    let mut content = [0; SUPERVISORS];
    let file = open_pidfile::for_reading(path);
    file.is_ok_and(|file| file.read_exact_at(&mut content, 0).is_ok()) && content.ends_with(b"\n\n")
}

impl Content {
    pub(super) fn read(file: &File) -> io::Result<Self> {
        let mut bytes = [0; LIMIT + 1];
        let mut length = 0;
        loop {
            // A network file system may be interrupted.
            match sys::uninterrupted(|| file.read_at(&mut bytes[length..], length as u64))? {
                0 => return Ok(Self::parse(&bytes[..length])),
                read => length += read,
            }
        }
    }

    /// Accepts neither a sign nor a leading zero: to kill(2), 0 is the caller's process group, and -1 is every process.
    fn parse(bytes: &[u8]) -> Self {
        let is_space = u8::is_ascii_whitespace;
        let numbers = bytes.split(is_space).filter(|word| !word.is_empty()).count();
        if bytes.len() > LIMIT || numbers > 1 || !bytes.iter().all(|byte| byte.is_ascii_digit() || is_space(byte)) {
            return Self::Foreign;
        }
        let end = bytes.iter().rposition(|&byte| byte != b'\n').map_or(0, |last| last + 1);
        let digits = &bytes[..end];
        match str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()) {
            _ if bytes.is_empty() => Self::Empty,
            Some(pid) if !bytes.starts_with(b"0") => {
                if end < bytes.len() {
                    Self::Pid(Pid::from_raw(pid))
                } else {
                    Self::Unfinished(Pid::from_raw(pid))
                }
            }
            _ => Self::Unusual,
        }
    }
}
