//! The user and group database, nsswitch.conf(5).

use std::{ffi::CString, io};

use nix::{
    libc,
    unistd::{Gid, Uid},
};

use crate::{
    Error,
    sys::{self, User},
    terminal::shown,
};

pub(super) fn user_named(name: &str) -> Result<Option<User>, Error> {
    let found = CString::new(name).map_err(io::Error::from).and_then(|name| sys::user_named(&name));
    found.or_else(|error| none_or_failure(error, &format!("user {}", shown(name))))
}

pub(super) fn user(uid: Uid) -> Result<Option<User>, Error> {
    sys::user(uid).or_else(|error| none_or_failure(error, &format!("user {uid}")))
}

pub(super) fn group_named(name: &str) -> Result<Option<Gid>, Error> {
    let found = CString::new(name).map_err(io::Error::from).and_then(|name| sys::group_named(&name));
    found.or_else(|error| none_or_failure(error, &format!("group {}", shown(name))))
}

pub(super) fn group(gid: Gid) -> Result<Option<Gid>, Error> {
    sys::group(gid).or_else(|error| none_or_failure(error, &format!("group {gid}")))
}

/// Systems without a user database, such as images that hold only the program, fail with these errors, getpwnam(3).
fn none_or_failure<T>(error: io::Error, who: &str) -> Result<Option<T>, Error> {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ESRCH) => Ok(None),
        _ => Err(Error::because(format!("cannot look up {who}"), error)),
    }
}
