//! The system's log, syslog(3), for what cannot be said elsewhere.

use std::{io, os::fd::AsFd, path::Path, process};

use nix::libc::{self, c_int};

use crate::{sys, terminal::escape_controls};

/// Where the log's daemon listens, as in the C libraries.
const SOCKET: &str = if cfg!(target_vendor = "apple") {
    "/var/run/syslog"
} else if cfg!(any(target_os = "freebsd", target_os = "dragonfly", target_os = "netbsd")) {
    "/var/run/log"
} else {
    "/dev/log"
};

pub(crate) const PRIORITY: c_int = libc::LOG_DAEMON | libc::LOG_ERR;

/// RFC 3164, 4.1.
const LIMIT: usize = 1024;

/// A longer name would leave too little room for the text. RFC 5424, 6.2.5, has the same limit.
pub(crate) const NAME_LIMIT: usize = 48;

/// Sends one line: program, process id and text. It never waits. If nobody listens, the line is lost.
pub(crate) fn say(name: &str, text: &str) {
    send_line(&line(name, text));
}

/// What [`send_line`] sends, as syslog(3) writes it, but without the time: the reader adds that, and after a chroot(2)
/// the time zone is unknown. It ends with a NUL byte.
pub(crate) fn line(name: &str, text: &str) -> Vec<u8> {
    let name: String = name.chars().take(NAME_LIMIT).collect();
    let mut line = format!("<{PRIORITY}>");
    for word in format!("{name}[{}]: {text}", process::id()).split_whitespace() {
        line.extend([word, " "]);
    }
    let mut line = escape_controls(line.as_bytes());
    let end = (0..=LIMIT.min(line.len())).rev().find(|&end| line.is_char_boundary(end)).unwrap_or(0);
    line.truncate(end);
    line.truncate(line.trim_end().len());
    line.push('\0');
    line.into_bytes()
}

/// Async-signal-safe, signal-safety(7).
pub(crate) fn send_line(line: &[u8]) {
    let Some((_, without_end)) = line.split_last() else { return };
    let _ = match send(without_end, libc::SOCK_DGRAM) {
        // As in syslog(3): the socket may also be a stream, which takes lines that end with a NUL byte.
        Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => send(line, libc::SOCK_STREAM),
        sent => sent,
    };
}

fn send(bytes: &[u8], kind: c_int) -> io::Result<usize> {
    let socket = sys::connect(Path::new(SOCKET), kind)?;
    sys::send(socket.as_fd(), bytes)
}
