//! Privileges, given up for good: who the daemon is to be, and how a process becomes that and nothing more.

mod account;
mod as_user;
mod change;
mod database;
mod environment;
mod groups;
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

pub(crate) use self::{
    account::Account,
    permission::{Privilege, demand},
};
use crate::{Daemon, Error, threads::SingleThread};

/// What the launcher found out, for the process in which `main` runs.
pub(crate) struct Privileges {
    account: Option<Account>,
    no_new_privs: bool,
}

impl Privileges {
    /// In the launcher: a name that nobody has, or a step that is not permitted, fails where somebody reads it.
    pub(crate) fn new(daemon: &Daemon) -> Result<Self, Error> {
        let account = Account::new(daemon.user.as_ref(), daemon.group.as_ref())?;
        let privileges = Self { account, no_new_privs: daemon.no_new_privs };
        if let Some(account) = privileges.another_account() {
            permission::to_become(account)?;
        }
        Ok(privileges)
    }

    /// Who it is to become, unless it is that already.
    pub(crate) fn another_account(&self) -> Option<&Account> {
        self.account.as_ref().filter(|account| !account.is_current())
    }

    pub(crate) fn are_to_change(&self) -> bool {
        self.account.is_some() || self.no_new_privs
    }

    /// In the process that runs `main`: an error must keep it from that.
    pub(crate) fn drop_for_good(&self, thread: &SingleThread) -> Result<(), Error> {
        if let Some(account) = self.another_account() {
            change::become_for_good(account)?;
        }
        if let Some(account) = &self.account {
            environment::follow(account, thread);
        }
        if self.no_new_privs {
            change::forbid_new_privileges()?;
        }
        Ok(())
    }
}
