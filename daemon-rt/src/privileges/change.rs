//! Becoming somebody else: groups first, then the group, then the user, since each step needs what the next one takes.

use nix::unistd::getegid;

use super::{account::Account, environment, groups::setgroups, ids, proof};
use crate::{Error, threads::SingleThread};

pub(super) fn become_for_good(account: &Account, thread: &SingleThread) -> Result<(), Error> {
    if !account.is_current {
        change_ids(account)?;
    }
    environment::follow(account, thread);
    Ok(())
}

fn change_ids(account: &Account) -> Result<(), Error> {
    let group_before = getegid();
    let Account { uid, gid, .. } = *account;
    setgroups(&account.groups).map_err(|error| Error::because("cannot set the supplementary groups", error))?;
    ids::set_group(gid).map_err(|error| Error::because(format!("cannot set the group id to {gid}"), error))?;
    ids::set_user(uid).map_err(|error| Error::because(format!("cannot set the user id to {uid}"), error))?;
    if !uid.is_root() {
        give_up_capabilities()?;
    }
    proof::demand(account, group_before)
}

/// The change of the user id clears the permitted and effective sets, but not the inheritable one, and none where
/// root's were kept by prctl(2) or the user was not root before. The ambient set goes with any of them,
/// capabilities(7).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn give_up_capabilities() -> Result<(), Error> {
    use crate::sys::{Capabilities, set_capabilities};

    set_capabilities(&Capabilities::NONE).map_err(|error| Error::because("cannot give up capabilities", error))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unnecessary_wraps, reason = "as where there are capabilities")]
fn give_up_capabilities() -> Result<(), Error> {
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn forbid_new_privileges() -> Result<(), Error> {
    nix::sys::prctl::set_no_new_privs().map_err(|error| Error::because("cannot set no_new_privs", error))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn forbid_new_privileges() -> Result<(), Error> {
    Err(Error::new("cannot set no_new_privs: this platform has nothing of the kind"))
}
