//! Who the daemon is to be: all ids of a process. They are looked up before the root directory changes.

#[cfg(test)]
mod tests;

use std::{ffi::OsStr, fmt, os::unix::ffi::OsStrExt};

use nix::unistd::{Gid, Uid, getegid, geteuid, getgid, getuid};

use super::{Changes, Identity, database, ids};
use crate::{
    Error,
    id::{Id, Kind},
    sys::{self, User},
    terminal::shown,
};

/// A user, a group, and the whole list of supplementary groups.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    name: String,
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    /// Exactly these: the ones that the group database lists for the user, and the group itself.
    pub(crate) groups: Vec<Gid>,
    /// Whether the user was given, and not only the group.
    pub(crate) user_is_given: bool,
    /// What a login shell puts into the environment.
    pub(crate) login: Option<User>,
    /// Whether the process has all these ids already: then there is nothing to do, and no privilege is needed.
    pub(crate) is_current: bool,
    pub(super) changes: &'static dyn Changes,
}

impl Account {
    pub(super) fn look_up(identity: &Identity) -> Result<Self, Error> {
        let Identity { user, group, changes } = identity;
        let name = user.as_ref().map(|user| format!("user {user}"));
        let name = name.or_else(|| Some(format!("group {}", group.as_ref()?))).unwrap_or_default();
        let (uid, entry) = match user {
            Some(id) => find_user(id)?,
            None => (geteuid(), database::user(geteuid())?),
        };
        let gid = match (group, &entry) {
            (Some(id), _) => find_group(id)?,
            (None, Some(entry)) => entry.gid,
            (None, None) => {
                return Err(Error::new(format!(
                    "`user` is {uid}, a number without an entry in the user database: `group` is needed as well"
                )));
            }
        };
        let groups = match &entry {
            Some(entry) => supplementary_groups(entry, gid)?,
            None => vec![gid],
        };
        let user_is_given = user.is_some();
        let is_current = has_ids(uid, gid) && has_groups(gid, &groups);
        Ok(Self { name, uid, gid, groups, user_is_given, login: entry, is_current, changes: *changes })
    }
}

impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Name(name) => shown(name).fmt(formatter),
            Kind::Number(number) => number.fmt(formatter),
        }
    }
}

fn has_ids(uid: Uid, gid: Gid) -> bool {
    (getuid(), getgid(), geteuid(), getegid()) == (uid, gid, uid, gid)
        && ids::saved().is_none_or(|saved| saved == (uid, gid))
}

/// Whether the process has these supplementary groups. The system may list the process's own group among them or not,
/// getgroups(2).
pub(super) fn has_groups(gid: Gid, groups: &[Gid]) -> bool {
    let sorted = |groups: &[Gid]| {
        let mut numbers: Vec<_> = groups.iter().map(|group| group.as_raw()).chain([gid.as_raw()]).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    };
    sys::getgroups().is_ok_and(|own| sorted(&own) == sorted(groups))
}

fn find_user(id: &Id) -> Result<(Uid, Option<User>), Error> {
    if let Kind::Name(name) = &id.0 {
        check_name("user", name)?;
        if let Some(entry) = database::user_named(name)? {
            return Ok((entry.uid, Some(entry)));
        }
    }
    let uid = Uid::from_raw(number("user", id)?);
    Ok((uid, database::user(uid)?))
}

fn find_group(id: &Id) -> Result<Gid, Error> {
    if let Kind::Name(name) = &id.0 {
        check_name("group", name)?;
        if let Some(gid) = database::group_named(name)? {
            return Ok(gid);
        }
    }
    number("group", id).map(Gid::from_raw)
}

fn check_name(option: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::new(format!("`{option}` is empty")));
    }
    if name.contains('\0') {
        return Err(Error::new(format!("`{option}` contains a NUL byte")));
    }
    Ok(())
}

fn number(option: &str, id: &Id) -> Result<u32, Error> {
    let number = match &id.0 {
        Kind::Number(number) => *number,
        Kind::Name(name) if is_decimal(name) => name.parse().unwrap_or(u32::MAX),
        Kind::Name(_) => return Err(Error::new(format!("`{option}` is unknown: there is no {option} {id}"))),
    };
    // To setresuid(2) and the like, -1 means "no change".
    if number == u32::MAX {
        return Err(Error::new(format!("`{option}` must be less than {}, found {id}", u32::MAX)));
    }
    Ok(number)
}

/// `+` marks a number, as in chown(1) of GNU coreutils. No name begins with it.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// getgrouplist(3) reports no error: if it cannot read the database, for example because no descriptor is free, it
/// returns no groups for the user. So it is called twice. Between the calls, there is a look-up that does report
/// errors. Both answers must agree.
fn supplementary_groups(entry: &User, gid: Gid) -> Result<Vec<Gid>, Error> {
    let what = format!("cannot look up the groups of user {}", shown(OsStr::from_bytes(entry.name.to_bytes())));
    let cannot = |error| Error::because(what.clone(), error);
    let groups = sys::getgrouplist(&entry.name, gid).map_err(cannot)?;
    database::group(gid)?;
    if sys::getgrouplist(&entry.name, gid).map_err(cannot)? != groups {
        return Err(Error::new(format!("{what}: two answers differ")));
    }
    Ok(groups)
}
