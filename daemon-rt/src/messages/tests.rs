use std::io;

use super::Message;
use crate::Error;

const STEP: &str = "cannot open stdout /x";

fn withheld() -> Error {
    Error::because(format!("{STEP} as user nobody"), io::Error::from_raw_os_error(nix::libc::ENOENT))
        .withhold_all_but(STEP)
}

#[test]
fn a_message_brings_both_texts() {
    for (error, without_cause) in [
        (Error::new("no luck"), None),
        (Error::because(STEP, io::ErrorKind::IsADirectory), Some(STEP)),
        (withheld(), Some(STEP)),
        (
            Error::new("cannot lock /x: already running as process 7").withhold_all_but("cannot lock /x"),
            Some("cannot lock /x"),
        ),
    ] {
        let received = Message::decode(&Message::from(&error).encode());
        assert_eq!((received.text, received.without_cause.as_deref()), (format!("{error:#}"), without_cause));
    }
}

/// However much of it arrives, what everybody may read has no cause in it.
#[test]
fn a_message_that_is_cut_off_tells_no_cause() {
    let message = Message::from(&withheld()).encode();
    for end in 0..=message.len() {
        let Message { text, without_cause } = Message::decode(&message[..end]);
        let shown = without_cause.unwrap_or(text);
        assert!(STEP.starts_with(&shown), "{shown}");
    }
}
