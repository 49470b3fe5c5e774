//! Changes the identity: first the keyring and the groups, then the group, then the user. Each step needs rights that
//! the next one takes away.

#[cfg(target_os = "linux")]
use nix::libc;
use nix::unistd::{Uid, getegid, geteuid, getuid};

use super::{account::Account, ids, login, proof};
use crate::{Error, sys::setgroups, threads::SingleThread};

pub(super) fn become_for_good(account: &Account, thread: &SingleThread) -> Result<(), Error> {
    if !account.is_current {
        change_ids(account)?;
    }
    login::set_variables(account, thread);
    Ok(())
}

/// The caller of a set-user-ID program may signal a process whose real user id is the caller's, kill(2).
pub(super) fn leave_caller() -> Result<(), Error> {
    let uid = geteuid();
    if getuid() == uid {
        return Ok(());
    }
    leave_session_keyring()?; // later, a daemon of this same user would stay in it
    set_user(uid)
}

fn set_user(uid: Uid) -> Result<(), Error> {
    ids::set_user(uid).map_err(|error| Error::because(format!("cannot set the user id to {uid}"), error))
}

fn change_ids(account: &Account) -> Result<(), Error> {
    let group_before = getegid();
    let Account { uid, gid, .. } = *account;
    if (getuid(), geteuid()) != (uid, uid) {
        leave_session_keyring()?;
    }
    setgroups(&account.groups).map_err(|error| Error::because("cannot set the supplementary groups", error))?;
    ids::set_group(gid).map_err(|error| Error::because(format!("cannot set the group id to {gid}"), error))?;
    set_user(uid)?;
    if !uid.is_root() {
        give_up_capabilities()?;
    }
    proof::demand(account, group_before)
}

/// Without this, the launcher's keys, such as Kerberos tickets, would stay within reach after the change, keyrings(7).
/// It comes first, because the new keyring counts as a key of whoever creates it, and a user who already has 200 keys
/// may not create more. It does no harm that the keyring belongs to the launcher: a process may do anything with the
/// keyring that it is in.
#[cfg(target_os = "linux")]
fn leave_session_keyring() -> Result<(), Error> {
    crate::sys::join_new_session_keyring().or_else(|error| match error.raw_os_error() {
        // The kernel has no keys, or a container's filter of system calls keeps the program away from them.
        Some(libc::ENOSYS | libc::EPERM) => Ok(()),
        _ => Err(Error::because("cannot leave the session keyring", error)),
    })
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "as where there are keyrings")]
fn leave_session_keyring() -> Result<(), Error> {
    Ok(())
}

/// Changing the user id clears the permitted and the effective set, but not the inheritable one. It clears none of them
/// if prctl(2) kept root's capabilities, or if the user was not root before. The ambient set goes with the permitted or
/// the inheritable one, capabilities(7).
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
    Err(Error::new("cannot set no_new_privs: this platform does not have it"))
}
