//! Becoming somebody else: the keyring and the groups first, then the group, then the user, since each step needs what
//! the next one takes.

#[cfg(target_os = "linux")]
use nix::libc;
use nix::unistd::{getegid, geteuid, getuid};

use super::{account::Account, environment, ids, proof};
use crate::{Error, sys::setgroups, threads::SingleThread};

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
    if (getuid(), geteuid()) != (uid, uid) {
        leave_session_keyring()?;
    }
    setgroups(&account.groups).map_err(|error| Error::because("cannot set the supplementary groups", error))?;
    ids::set_group(gid).map_err(|error| Error::because(format!("cannot set the group id to {gid}"), error))?;
    ids::set_user(uid).map_err(|error| Error::because(format!("cannot set the user id to {uid}"), error))?;
    if !uid.is_root() {
        give_up_capabilities()?;
    }
    proof::demand(account, group_before)
}

/// A change of ids leaves the launcher's keys in reach, such as Kerberos tickets, keyrings(7). It comes first, since the
/// new keyring is a key of whoever makes it: a user with as many keys as they may have, 200, would keep the old one. To
/// belong to the launcher does no harm: a process may do anything with the keyring that it is in.
#[cfg(target_os = "linux")]
fn leave_session_keyring() -> Result<(), Error> {
    crate::sys::join_new_session_keyring().or_else(|error| match error.raw_os_error() {
        // The kernel has no keys, or a container's filter of system calls keeps the whole program from them.
        Some(libc::ENOSYS | libc::EPERM) => Ok(()),
        _ => Err(Error::because("cannot leave the session keyring", error)),
    })
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "as where there are keyrings")]
fn leave_session_keyring() -> Result<(), Error> {
    Ok(())
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
