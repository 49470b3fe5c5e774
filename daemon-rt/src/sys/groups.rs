//! Supplementary groups: those of a user, and those of this process.

use std::{ffi::CStr, io};

#[cfg(not(any(target_os = "solaris", target_os = "illumos")))]
use nix::libc::{self, c_int};
use nix::{errno::Errno, unistd::Gid};

/// getgrouplist(3): the group `gid` first, and then the others in order. nix finds no more than sysconf(3) promises:
/// with musl that is 32, even if the kernel takes more. musl also lists `gid` twice if its entry has the user as a
/// member.
#[cfg(not(any(target_os = "solaris", target_os = "illumos")))]
pub(crate) fn getgrouplist(user: &CStr, gid: Gid) -> io::Result<Vec<Gid>> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut count = c_int::try_from(groups.len()).map_err(|_| Errno::E2BIG)?;
        Errno::clear();
        // SAFETY: pointer and count describe `groups`, and `user` ends with a NUL byte.
        let found = unsafe { libc::getgrouplist(user.as_ptr(), gid.as_raw(), groups.as_mut_ptr(), &raw mut count) };
        let count = usize::try_from(count).unwrap_or(0);
        if found >= 0 {
            groups.truncate(count);
            break;
        }
        // With glibc, this is the only error. musl may also be unable to read the database.
        let is_too_short = count > groups.len();
        if !is_too_short && Errno::last_raw() != 0 {
            return Err(io::Error::last_os_error());
        }
        groups.resize(count.max(groups.len() * 2), 0);
    }
    groups.retain(|&group| group != gid.as_raw());
    groups.sort_unstable();
    groups.dedup();
    Ok([gid].into_iter().chain(groups.into_iter().map(Gid::from_raw)).collect())
}

#[cfg(any(target_os = "solaris", target_os = "illumos"))]
pub(crate) fn getgrouplist(_: &CStr, _: Gid) -> io::Result<Vec<Gid>> {
    Err(Errno::ENOTSUP.into())
}

/// getgroups(2).
pub(crate) fn getgroups() -> io::Result<Vec<Gid>> {
    Ok(nix::unistd::getgroups()?)
}

/// setgroups(2).
pub(crate) fn setgroups(groups: &[Gid]) -> io::Result<()> {
    Ok(nix::unistd::setgroups(groups)?)
}
