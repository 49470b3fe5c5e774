//! Whether a change is permitted. This is checked before anything changes.

use super::account::Account;
use crate::Error;

/// What only root may do, or on Linux a process with the capability, capabilities(7).
#[derive(Clone, Copy)]
pub(crate) enum Privilege {
    Kill = 5,
    SetGid = 6,
    SetUid = 7,
    ChangeRoot = 18,
}

pub(crate) fn demand(privilege: Privilege, cannot: &str) -> Result<(), Error> {
    if has(privilege) {
        return Ok(());
    }
    Err(Error::new(format!("{cannot}: only root can")))
}

pub(super) fn to_become(account: &Account) -> Result<(), Error> {
    let cannot = format!("cannot become {account}");
    demand(Privilege::SetGid, &cannot)?;
    if account.user_is_given {
        demand(Privilege::SetUid, &cannot)?;
    }
    namespace::permits(account)
}

/// Whether root is an ordinary user outside this user namespace, and the only user in it, as with `unshare
/// --map-root-user` and bwrap(1). Somebody who tricks this root gains no rights that they lack.
pub(crate) fn root_is_ordinary_user() -> bool {
    namespace::is_one_ordinary_user()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn has(privilege: Privilege) -> bool {
    crate::sys::capabilities().map_or(true, |sets| sets.has(privilege as u32)) // unknown: the step itself will show
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn has(_: Privilege) -> bool {
    nix::unistd::geteuid().is_root()
}

/// In a user namespace, root needs more than the capabilities, `user_namespaces(7)`.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod namespace {
    #[cfg(test)]
    mod tests;

    use std::fs;

    use super::Account;
    use crate::Error;

    pub(super) fn permits(account: &Account) -> Result<(), Error> {
        let no = |why: String| Err(Error::new(format!("cannot become {account}: this user namespace {why}")));
        if fs::read("/proc/self/setgroups").is_ok_and(|answer| answer.starts_with(b"deny")) {
            return no("denies setgroups".into());
        }
        if !maps("/proc/self/uid_map", account.uid.as_raw()) {
            return no(format!("has no user id {}", account.uid));
        }
        match account.groups.iter().chain([&account.gid]).find(|group| !maps("/proc/self/gid_map", group.as_raw())) {
            Some(group) => no(format!("has no group id {group}")),
            None => Ok(()),
        }
    }

    pub(super) fn is_one_ordinary_user() -> bool {
        fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| has_one_ordinary_user(&map))
    }

    /// Whether the map has one line, with one id, which is not root's outside.
    fn has_one_ordinary_user(map: &str) -> bool {
        let mut words = map.split_ascii_whitespace();
        let mut number = || words.next()?.parse::<u32>().ok();
        matches!((number(), number(), number()), (Some(_), Some(1..), Some(1))) && words.next().is_none()
    }

    /// If the map cannot be read, the system calls will show.
    fn maps(file: &str, id: u32) -> bool {
        fs::read_to_string(file).map_or(true, |map| is_in(&map, id))
    }

    /// Lines of `first-inside first-outside count`.
    fn is_in(map: &str, id: u32) -> bool {
        map.lines().any(|line| {
            let mut numbers = line.split_ascii_whitespace().map(|number| number.parse::<u32>().unwrap_or(0));
            let (first, count) = (numbers.next().unwrap_or(0), numbers.nth(1).unwrap_or(0));
            id.checked_sub(first).is_some_and(|place| place < count)
        })
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod namespace {
    use super::Account;
    use crate::Error;

    pub(super) fn is_one_ordinary_user() -> bool {
        false
    }

    #[allow(clippy::unnecessary_wraps, reason = "as where there are user namespaces")]
    pub(super) fn permits(_: &Account) -> Result<(), Error> {
        Ok(())
    }
}
