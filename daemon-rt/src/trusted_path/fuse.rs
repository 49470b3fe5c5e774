//! File systems that are run by a user's program, fuse(4). fusermount(1) mounts them for everybody, on directories of
//! their own.
//!
//! Such a program decides whom each file belongs to, and where a link leads. Root can look there if `/etc/fuse.conf`
//! has `user_allow_other`.

#[cfg(test)]
mod tests;

use std::{fs, os::fd::OwnedFd};

use nix::{
    libc,
    sys::{
        stat::{major, minor},
        statfs::{FUSE_SUPER_MAGIC, fstatfs},
    },
};

/// Whether somebody other than root mounted the file system of that directory, which has that device number.
pub(super) fn is_users(directory: &OwnedFd, device: libc::dev_t) -> bool {
    // The program may answer with an error.
    if fstatfs(directory).is_ok_and(|found| found.filesystem_type() != FUSE_SUPER_MAGIC) {
        return false;
    }
    let device = format!("{}:{}", major(device), minor(device));
    fs::read_to_string("/proc/self/mountinfo").map_or(true, |mounts| is_mounted_by_another(&mounts, &device))
}

/// If it is not listed, anybody may have mounted it. If only root can mount it, as virtiofs, the entry has no user,
/// `proc_pid_mountinfo(5)`.
fn is_mounted_by_another(mounts: &str, device: &str) -> bool {
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some(device));
    mount.and_then(|mount| mount.rsplit(' ').next()).is_none_or(|options| {
        options.split(',').filter_map(|option| option.strip_prefix("user_id=")).any(|user| user != "0")
    })
}
