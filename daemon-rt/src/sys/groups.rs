//! Supplementary groups: those of a user, and those of this process.

use std::{ffi::CStr, io};

use nix::unistd::Gid;

/// getgrouplist(3).
#[cfg(not(any(target_os = "solaris", target_os = "illumos")))]
pub(crate) fn getgrouplist(user: &CStr, gid: Gid) -> io::Result<Vec<Gid>> {
    Ok(nix::unistd::getgrouplist(user, gid)?)
}

#[cfg(any(target_os = "solaris", target_os = "illumos"))]
pub(crate) fn getgrouplist(_: &CStr, _: Gid) -> io::Result<Vec<Gid>> {
    Err(nix::Error::ENOTSUP.into())
}

/// getgroups(2).
pub(crate) fn getgroups() -> io::Result<Vec<Gid>> {
    Ok(nix::unistd::getgroups()?)
}

/// setgroups(2).
pub(crate) fn setgroups(groups: &[Gid]) -> io::Result<()> {
    Ok(nix::unistd::setgroups(groups)?)
}
