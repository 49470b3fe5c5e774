//! Doing something with no more than the user's rights, and going on with one's own.

use std::io;

use nix::unistd::{Gid, Uid, getegid, geteuid, setegid, seteuid};

use super::{
    account::Account,
    groups::{getgroups, setgroups},
};
use crate::Error;

/// What the process was before.
pub(super) struct Before {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Account {
    /// Runs `action` as the user, for the file system and for nothing else: real and saved ids stay, so that the user
    /// may not send a signal meanwhile. An error ends the start: where the way back failed, nothing may follow.
    pub(crate) fn act<T>(&self, action: impl FnOnce() -> io::Result<T>) -> Result<io::Result<T>, Error> {
        let before = (self.changes.take_on)(self)?;
        let done = action();
        (self.changes.give_back)(self, &before)?;
        Ok(done)
    }
}

pub(super) fn take_on(account: &Account) -> Result<Before, Error> {
    let cannot = |error: nix::Error| Error::because(format!("cannot act as {account}"), error);
    let before = Before { uid: geteuid(), gid: getegid(), groups: getgroups().map_err(cannot)? };
    let taken_on = setgroups(&account.groups).and_then(|()| setegid(account.gid)).and_then(|()| seteuid(account.uid));
    if let Err(error) = taken_on {
        give_back(account, &before)?;
        return Err(cannot(error));
    }
    Ok(before)
}

pub(super) fn give_back(account: &Account, before: &Before) -> Result<(), Error> {
    seteuid(before.uid)
        .and_then(|()| setegid(before.gid))
        .and_then(|()| setgroups(&before.groups))
        .map_err(|error| Error::because(format!("cannot be root again after {account}"), error))
}
