use std::{
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use super::{Incoming, Report};
use crate::{Error, run::Ready};

/// A reader that was stopped until the deadline still reads what has arrived.
#[test]
#[cfg_attr(miri, ignore = "Miri has no timeouts for socket pairs")]
fn what_has_come_is_not_too_late() {
    let (sender, reader) = UnixStream::pair().unwrap();
    Report::Ready(Ready { daemon: 7, message: "listening".into() }).send(&sender).unwrap();
    let received = Incoming::from_launcher().receive(&reader, Some(Instant::now()));
    assert!(received.unwrap().is_some_and(|report| report.is_ready()));
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no timeouts for socket pairs")]
fn nothing_comes_in_time() {
    let (_sender, reader) = UnixStream::pair().unwrap();
    for time in [Duration::ZERO, Duration::from_millis(1)] {
        let received = Incoming::from_launcher().receive(&reader, Some(Instant::now() + time));
        assert_eq!(received.err().unwrap().kind(), std::io::ErrorKind::WouldBlock);
    }
}

/// Readers read no more than that, so the rest would stay in the socket.
#[test]
#[cfg_attr(miri, ignore = "Miri has no timeouts for socket pairs")]
fn a_longer_text_than_is_read_is_not_sent() {
    let (sender, reader) = UnixStream::pair().unwrap();
    sender.set_nonblocking(true).unwrap();
    Report::Ready(Ready { daemon: 7, message: "x".repeat(10 << 20) }).send(&sender).unwrap();
    let Ok(Some(Report::Ready(ready))) = Incoming::from_daemon().receive(&reader, None) else { panic!() };
    assert_eq!(ready.message.trim_start_matches('x'), " (cut off after 64 KiB)");
}

/// Only the launcher looks for other instances, and it reads itself what the daemon printed.
#[test]
#[cfg_attr(miri, ignore = "Miri has no timeouts for socket pairs")]
fn a_daemon_cannot_forge_what_only_the_launcher_knows() {
    let (sender, reader) = UnixStream::pair().unwrap();
    let forged = Error::new("a\u{1b}[31mb\nc").and_already_running(1).and_stderr("forged".into());
    Report::from(forged).send(&sender).unwrap();
    let Ok(Some(Report::Failed(error))) = Incoming::from_daemon().receive(&reader, None) else { panic!() };
    assert_eq!((error.already_running(), error.stderr()), (None, ""));
    assert_eq!(error.to_string(), "a\\u{1b}[31mb\\nc");
}
