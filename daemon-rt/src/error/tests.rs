use std::{error::Error as _, io};

use super::Error;

#[test]
fn the_cause_is_the_source_and_shown_on_request() {
    let error = Error::because("cannot open log", io::Error::from_raw_os_error(13));
    assert_eq!(error.to_string(), "cannot open log");
    assert_eq!(format!("{error:#}"), "cannot open log: Permission denied (os error 13)");
    assert_eq!(format!("{error:?}"), "cannot open log: Permission denied (os error 13)");
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
