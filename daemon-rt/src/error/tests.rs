use std::{error::Error as _, io};

use super::Error;

#[test]
fn the_cause_is_the_source_and_shown_on_request() {
    let cause = || io::Error::from_raw_os_error(13);
    let error = Error::because("cannot open log", cause());
    assert_eq!(error.to_string(), "cannot open log");
    let shown = format!("cannot open log: {}", cause());
    assert_eq!((format!("{error:#}"), format!("{error:?}")), (shown.clone(), shown));
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>()).unwrap();
    assert_eq!(source.raw_os_error(), Some(13));
}

#[test]
fn a_mistake_has_no_cause() {
    let error = Error::new("`umask` is empty");
    assert_eq!((error.to_string(), format!("{error:#}")), ("`umask` is empty".into(), "`umask` is empty".into()));
    assert!(error.source().is_none());
}

#[test]
fn as_an_error_of_io_it_keeps_the_kind() {
    let error = io::Error::from(Error::because("cannot open log", io::Error::from_raw_os_error(13)));
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(error.to_string(), "cannot open log");
    assert_eq!(io::Error::from(Error::new("`umask` is empty")).kind(), io::ErrorKind::Other);
}

#[cfg(unix)]
const STEP: &str = "cannot open stdout /x";

/// Both the cause and the text show what was found in the file system.
#[cfg(unix)]
fn withheld() -> Error {
    Error::because(format!("{STEP} as user nobody"), io::Error::from_raw_os_error(nix::libc::ENOENT))
        .withhold_all_but(STEP)
}

#[cfg(unix)]
#[test]
fn another_process_gets_all_of_it() {
    for error in [
        Error::new("no luck"),
        Error::because(STEP, io::Error::from_raw_os_error(nix::libc::EISDIR)),
        Error::because(STEP, super::refused("it is a directory")),
        withheld(),
        Error::new("cannot lock /x: already running as process 7")
            .withhold_all_but("cannot lock /x")
            .and_already_running(7),
        Error::new("the daemon ended").and_stderr("one\ntwo\n".into()),
    ] {
        let received = Error::decode(78, &error.encode());
        assert_eq!(format!("{received} {received:#}"), format!("{error} {error:#}"));
        assert_eq!(received.without_cause(), error.without_cause());
        assert_eq!((received.errno(), received.stderr()), (error.errno(), error.stderr()));
        assert_eq!((received.exit_status(), received.already_running()), (78, error.already_running()));
    }
}

/// However much of it arrives, the public part contains no cause.
#[cfg(unix)]
#[test]
fn what_is_cut_off_tells_no_cause() {
    let encoded = withheld().encode();
    for end in 0..=encoded.len() {
        let received = Error::decode(1, &encoded[..end]);
        let shown = received.without_cause().map_or_else(|| format!("{received:#}"), str::to_owned);
        assert!(STEP.starts_with(&shown), "{shown}");
    }
}

#[test]
fn no_exit_status_is_success() {
    assert_eq!(Error::new("no luck").and_exit_status(0).exit_status(), 1);
    assert_eq!(Error::new("no luck").and_exit_status(78).exit_status(), 78);
}

/// When `main` returns it.
#[cfg(unix)]
#[test]
fn what_the_daemon_wrote_is_not_lost() {
    let error = Error::new("the daemon ended").and_stderr("one\ntwo\n".into());
    assert_eq!(
        (format!("{error:#}"), format!("{error:?}")),
        ("the daemon ended".into(), "the daemon ended\none\ntwo".into())
    );
}
