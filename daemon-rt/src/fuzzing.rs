//! The internals that tests/fuzz calls. They exist only for a fuzzer.

use std::{io::Write, os::unix::net::UnixStream};

use crate::{start::Incoming, terminal};

/// Reads a report as the leader does, from a daemon that may send anything.
pub fn report(bytes: &[u8]) {
    let Ok((reader, mut writer)) = UnixStream::pair() else { return };
    let _ = writer.set_nonblocking(true);
    let _ = writer.write_all(bytes); // what does not fit is lost
    drop(writer);
    let _ = Incoming::from_daemon().receive_or_resume(&reader, None, || ());
}

/// The text as a message shows it.
#[must_use]
pub fn shown(text: &[u8]) -> String {
    terminal::shown_bytes(text).to_string()
}
