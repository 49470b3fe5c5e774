//! Supplementary groups: those of a user, and those of this process.

#[cfg(target_vendor = "apple")]
pub(super) use crate::sys::{getgrouplist, getgroups, setgroups};
#[cfg(not(any(target_vendor = "apple", target_os = "solaris", target_os = "illumos")))]
pub(super) use nix::unistd::getgrouplist;
#[cfg(not(target_vendor = "apple"))]
pub(super) use nix::unistd::{getgroups, setgroups};

/// There is none there.
#[cfg(any(target_os = "solaris", target_os = "illumos"))]
pub(super) fn getgrouplist(_: &std::ffi::CStr, _: nix::unistd::Gid) -> nix::Result<Vec<nix::unistd::Gid>> {
    Err(nix::Error::ENOTSUP)
}
