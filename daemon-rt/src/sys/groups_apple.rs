//! Supplementary groups on Apple's systems, where nix has no such calls.

use std::{ffi::CStr, io, ptr};

use nix::{
    errno::Errno,
    libc::{self, c_int},
    unistd::Gid,
};

/// getgrouplist(3). Its groups are of type int there.
#[allow(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "the same 32 bits under another type")]
pub(crate) fn getgrouplist(user: &CStr, gid: Gid) -> io::Result<Vec<Gid>> {
    let mut groups: Vec<c_int> = vec![0; 64];
    loop {
        let mut count = c_int::try_from(groups.len()).map_err(|_| Errno::E2BIG)?;
        // SAFETY: pointer and count describe `groups`, and `user` ends with a NUL byte.
        let done =
            unsafe { libc::getgrouplist(user.as_ptr(), gid.as_raw() as c_int, groups.as_mut_ptr(), &raw mut count) };
        if done == 0 {
            groups.truncate(usize::try_from(count).unwrap_or(0));
            return Ok(groups.into_iter().map(|group| Gid::from_raw(group as libc::gid_t)).collect());
        }
        groups.resize(groups.len() * 2, 0);
    }
}

/// getgroups(2).
pub(crate) fn getgroups() -> io::Result<Vec<Gid>> {
    // SAFETY: a count of 0 asks for the number of groups and writes none.
    let count = Errno::result(unsafe { libc::getgroups(0, ptr::null_mut()) })?;
    let mut groups: Vec<libc::gid_t> = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: pointer and count describe `groups`.
    let count = Errno::result(unsafe { libc::getgroups(count, groups.as_mut_ptr()) })?;
    groups.truncate(usize::try_from(count).unwrap_or(0));
    Ok(groups.into_iter().map(Gid::from_raw).collect())
}

/// setgroups(2). After it, the directory service adds no groups of its own.
pub(crate) fn setgroups(groups: &[Gid]) -> io::Result<()> {
    let groups: Vec<libc::gid_t> = groups.iter().map(|group| group.as_raw()).collect();
    let count = c_int::try_from(groups.len()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: pointer and count describe `groups`.
    Errno::result(unsafe { libc::setgroups(count, groups.as_ptr()) })?;
    Ok(())
}
