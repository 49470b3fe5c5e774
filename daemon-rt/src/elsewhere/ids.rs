//! The ids of this process, on systems that do not show the saved ones.

use nix::unistd::{Gid, Uid, setgid, setuid};

/// For root, this sets all three ids, POSIX.
pub(super) fn set_group(gid: Gid) -> nix::Result<()> {
    setgid(gid)
}

/// For root, this sets all three ids, POSIX.
pub(super) fn set_user(uid: Uid) -> nix::Result<()> {
    setuid(uid)
}

/// The saved ids, if the system shows them.
pub(super) fn saved() -> Option<(Uid, Gid)> {
    None
}
