//! Privileges, given up for good: who the daemon is to be, and how a process becomes that and nothing more.

mod account;
mod apart;
mod as_user;
mod change;
mod database;
mod environment;
#[cfg_attr(
    not(any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_os = "dragonfly",
        target_os = "openbsd"
    )),
    path = "privileges/ids_elsewhere.rs"
)]
mod ids;
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
use crate::{Daemon, Error, id::Id, threads::SingleThread};

/// Who the daemon is to be: the options `user` and `group`.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) user: Option<Id>,
    pub(crate) group: Option<Id>,
    changes: &'static Changes,
}

/// All that becomes somebody else. Only an [`Identity`] leads to it: it is not in the binary of a program that sets
/// neither option.
struct Changes {
    look_up: fn(&Identity) -> Result<Account, Error>,
    take_on: fn(&Account) -> Result<Before, Error>,
    give_back: fn(&Account, &Before) -> Result<(), Error>,
    act_apart: fn(&Account, &mut Action<'_>) -> Option<io::Result<Found>>,
    become_for_good: fn(&Account, &SingleThread) -> Result<(), Error>,
}

static CHANGES: Changes = Changes {
    look_up: Account::look_up,
    take_on: as_user::take_on,
    give_back: as_user::give_back,
    act_apart: apart::act_apart,
    become_for_good: change::become_for_good,
};

impl Default for Identity {
    fn default() -> Self {
        Self { user: None, group: None, changes: &CHANGES }
    }
}

impl fmt::Debug for Changes {
    /// Not where its functions are: that is the secret of address space layout randomization.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Changes")
    }
}

/// What the launcher found out, for the process in which `main` runs.
pub(crate) struct Privileges {
    account: Option<Account>,
    no_new_privs: bool,
}

impl Privileges {
    /// In the launcher: a name that nobody has, or a step that is not permitted, fails where somebody reads it.
    pub(crate) fn new(daemon: &Daemon) -> Result<Self, Error> {
        let look_up = |identity: &Identity| (identity.changes.look_up)(identity);
        Ok(Self { account: daemon.identity.as_ref().map(look_up).transpose()?, no_new_privs: daemon.no_new_privs })
    }

    /// Who it is to become, unless it is that already.
    pub(crate) fn another_account(&self) -> Option<&Account> {
        self.account.as_ref().filter(|account| !account.is_current)
    }

    pub(crate) fn are_to_change(&self) -> bool {
        self.account.is_some() || self.no_new_privs
    }

    /// In the process that runs `main`: an error must keep it from that.
    pub(crate) fn drop_for_good(&self, thread: &SingleThread) -> Result<(), Error> {
        if let Some(account) = &self.account {
            (account.changes.become_for_good)(account, thread)?;
        }
        if self.no_new_privs {
            change::forbid_new_privileges()?;
        }
        Ok(())
    }
}
