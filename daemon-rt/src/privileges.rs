//! Gives up privileges for good: who the daemon is to be, and how a process becomes that user with no other rights.

mod account;
mod apart;
mod as_user;
mod change;
mod database;
#[cfg_attr(
    not(any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_os = "dragonfly",
        target_os = "openbsd"
    )),
    path = "elsewhere/ids.rs"
)]
mod ids;
mod login;
mod permission;
mod proof;

use std::{fmt, io};

use self::as_user::Before;
pub(crate) use self::{
    account::Account,
    apart::{Action, Found},
    as_user::look_as,
    permission::{Privilege, demand, root_is_ordinary_user},
};
use crate::{Error, id::Id, threads::SingleThread};

/// Who the daemon is to be: the options `user` and `group`.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) user: Option<Id>,
    pub(crate) group: Option<Id>,
    changes: &'static dyn Changes,
}

/// All code that changes the identity. Only an [`Identity`] refers to it, so the linker leaves it out of a program that
/// sets neither option.
trait Changes: fmt::Debug + Sync {
    fn look_up(&self, identity: &Identity) -> Result<Account, Error>;
    fn assume(&self, account: &Account) -> Result<Before, Error>;
    fn restore(&self, account: &Account, before: &Before) -> Result<(), Error>;
    fn act_apart(&self, account: &Account, action: &mut Action<'_>) -> Option<io::Result<Found>>;
    fn become_for_good(&self, account: &Account, thread: &SingleThread) -> Result<(), Error>;
    fn leave_caller(&self) -> Result<(), Error>;
}

#[derive(Debug)]
struct AllChanges;

impl Changes for AllChanges {
    fn look_up(&self, identity: &Identity) -> Result<Account, Error> {
        let account = Account::look_up(identity)?;
        if !account.is_current {
            permission::to_become(&account)?;
        }
        Ok(account)
    }

    fn assume(&self, account: &Account) -> Result<Before, Error> {
        as_user::assume(account)
    }

    fn restore(&self, account: &Account, before: &Before) -> Result<(), Error> {
        as_user::restore(account, before)
    }

    fn act_apart(&self, account: &Account, action: &mut Action<'_>) -> Option<io::Result<Found>> {
        apart::act_apart(account, action)
    }

    fn become_for_good(&self, account: &Account, thread: &SingleThread) -> Result<(), Error> {
        change::become_for_good(account, thread)
    }

    fn leave_caller(&self) -> Result<(), Error> {
        change::leave_caller()
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self { user: None, group: None, changes: &AllChanges }
    }
}

/// What the launcher found out, for the process that runs `main`.
pub(crate) struct Privileges {
    account: Option<Account>,
    no_new_privs: bool,
}

impl Privileges {
    /// In the launcher, where somebody reads that a name is unknown or a step is not permitted.
    pub(crate) fn new(identity: Option<&Identity>, no_new_privs: bool) -> Result<Self, Error> {
        let look_up = |identity: &Identity| identity.changes.look_up(identity);
        Ok(Self { account: identity.map(look_up).transpose()?, no_new_privs })
    }

    /// Who the process is to become, if that is somebody else.
    pub(crate) fn another_account(&self) -> Option<&Account> {
        self.account.as_ref().filter(|account| !account.is_current)
    }

    pub(crate) fn are_to_change(&self) -> bool {
        self.account.is_some() || self.no_new_privs
    }

    /// In the leader, if it becomes the supervisor. It keeps its rights, and passes signals on to the daemon. `user`
    /// keeps the caller from signalling the daemon, so the caller must not be able to do it through the supervisor.
    pub(crate) fn leave_caller(&self) -> Result<(), Error> {
        let given = self.account.as_ref().filter(|account| account.user_is_given);
        given.map_or(Ok(()), |account| account.changes.leave_caller())
    }

    /// In the process that runs `main`. After an error, it must not run `main`.
    pub(crate) fn drop_for_good(&self, thread: &SingleThread) -> Result<(), Error> {
        if let Some(account) = &self.account {
            account.changes.become_for_good(account, thread)?;
        }
        if self.no_new_privs {
            change::forbid_new_privileges()?;
        }
        Ok(())
    }
}
