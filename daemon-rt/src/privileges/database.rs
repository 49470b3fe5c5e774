//! The user and group database, nsswitch.conf(5).

use nix::unistd::{Gid, Group, Uid, User};

use crate::{Error, terminal::shown};

pub(super) fn user_named(name: &str) -> Result<Option<User>, Error> {
    User::from_name(name).or_else(|error| none_or_failure(error, &format!("user {}", shown(name))))
}

pub(super) fn user(uid: Uid) -> Result<Option<User>, Error> {
    User::from_uid(uid).or_else(|error| none_or_failure(error, &format!("user {uid}")))
}

pub(super) fn group_named(name: &str) -> Result<Option<Gid>, Error> {
    let group = Group::from_name(name).or_else(|error| none_or_failure(error, &format!("group {}", shown(name))))?;
    Ok(group.map(|group| group.gid))
}

pub(super) fn group(gid: Gid) -> Result<Option<Group>, Error> {
    Group::from_gid(gid).or_else(|error| none_or_failure(error, &format!("group {gid}")))
}

/// Systems without a database, such as an image with nothing but the program, say so in these ways, getpwnam(3).
fn none_or_failure<T>(error: nix::Error, what: &str) -> Result<Option<T>, Error> {
    match error {
        nix::Error::ENOENT | nix::Error::ESRCH => Ok(None),
        error => Err(Error::because(format!("cannot look up {what}"), error)),
    }
}
