//! The ids of this process, where nothing tells the saved ones.

use nix::unistd::{Gid, Uid, setgid, setuid};

/// For root this sets all three, POSIX.
pub(super) fn set_group(gid: Gid) -> nix::Result<()> {
    setgid(gid)
}

/// For root this sets all three, POSIX.
pub(super) fn set_user(uid: Uid) -> nix::Result<()> {
    setuid(uid)
}

/// The saved ids, where the system tells them.
pub(super) fn saved() -> Option<(Uid, Gid)> {
    None
}
