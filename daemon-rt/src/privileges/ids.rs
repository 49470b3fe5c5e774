//! The ids of this process, where the system has calls for the saved ones, too: setresuid(2).

use nix::unistd::{Gid, Uid, getresgid, getresuid, setresgid, setresuid};

/// The real, the effective and the saved id.
pub(super) fn set_group(gid: Gid) -> nix::Result<()> {
    setresgid(gid, gid, gid)
}

/// The real, the effective and the saved id.
pub(super) fn set_user(uid: Uid) -> nix::Result<()> {
    setresuid(uid, uid, uid)
}

/// The saved ids, where the system tells them.
pub(super) fn saved() -> Option<(Uid, Gid)> {
    Some((getresuid().ok()?.saved, getresgid().ok()?.saved))
}
