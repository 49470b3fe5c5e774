//! Doing something with no more than the user's rights, and going on with one's own.

use std::io;

use nix::unistd::{Gid, Uid, getegid, geteuid, setegid, seteuid};

use super::{
    account::Account,
    groups::{getgroups, setgroups},
};
use crate::Error;

/// What the process was before.
struct Before {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Account {
    /// Runs `action` as the user, for the file system and for nothing else: real and saved ids stay, so that the user
    /// may not send a signal meanwhile. An error ends the start: where the way back failed, nothing may follow.
    pub(crate) fn act<T>(&self, action: impl FnOnce() -> io::Result<T>) -> Result<io::Result<T>, Error> {
        let before = Before::note().map_err(|error| cannot(self, error))?;
        let done = match self.take_on() {
            Ok(()) => Ok(action()),
            Err(error) => Err(cannot(self, error)),
        };
        before.restore().map_err(|error| Error::because(format!("cannot be root again after {self}"), error))?;
        done
    }

    fn take_on(&self) -> nix::Result<()> {
        setgroups(&self.groups)?;
        setegid(self.gid)?;
        seteuid(self.uid)
    }
}

impl Before {
    fn note() -> nix::Result<Self> {
        Ok(Self { uid: geteuid(), gid: getegid(), groups: getgroups()? })
    }

    fn restore(self) -> nix::Result<()> {
        seteuid(self.uid)?;
        setegid(self.gid)?;
        setgroups(&self.groups)
    }
}

fn cannot(account: &Account, error: nix::Error) -> Error {
    Error::because(format!("cannot act as {account}"), error)
}
