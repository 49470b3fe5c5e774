//! Checks that no privilege is left. Daemons have run as root because such calls succeeded without effect.

use nix::unistd::{Gid, Uid, getegid, geteuid, getgid, getuid, setegid, seteuid, setgid, setuid};

use super::{
    account::{Account, has_groups},
    ids,
};
use crate::Error;

pub(super) fn demand(account: &Account, group_before: Gid) -> Result<(), Error> {
    let Account { uid, gid, .. } = *account;
    let not = |what: String| Err(Error::new(format!("cannot become {account}: {what}")));
    if (getuid(), geteuid()) != (uid, uid) {
        return not(format!("the user id is not {uid} after the change"));
    }
    if (getgid(), getegid()) != (gid, gid) {
        return not(format!("the group id is not {gid} after the change"));
    }
    if ids::saved().is_some_and(|saved| saved != (uid, gid)) {
        return not("a saved id is wrong after the change".into());
    }
    if !file_system_ids_are(uid, gid) {
        return not("the file system ids are wrong after the change".into());
    }
    if !has_groups(gid, &account.groups) {
        return not("the supplementary groups are wrong after the change".into());
    }
    if uid.is_root() {
        return Ok(());
    }
    if has_capabilities() {
        return not("capabilities are left after the change".into());
    }
    // On Linux, both calls are permitted or neither. Other systems may differ.
    if setuid(Uid::from_raw(0)).is_ok() || seteuid(Uid::from_raw(0)).is_ok() {
        return not("it could become root again".into());
    }
    if group_before != gid && (setgid(group_before).is_ok() || setegid(group_before).is_ok()) {
        return not(format!("it could get its group {group_before} back"));
    }
    Ok(())
}

/// Setting an id that nobody has changes nothing, and returns the present one, setfsuid(2).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn file_system_ids_are(uid: Uid, gid: Gid) -> bool {
    let nobody = (Uid::from_raw(u32::MAX), Gid::from_raw(u32::MAX));
    (nix::unistd::setfsuid(nobody.0), nix::unistd::setfsgid(nobody.1)) == (uid, gid)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn has_capabilities() -> bool {
    crate::sys::capabilities().map_or(true, |sets| !sets.are_empty())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn file_system_ids_are(_: Uid, _: Gid) -> bool {
    true
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn has_capabilities() -> bool {
    false
}
