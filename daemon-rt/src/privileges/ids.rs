//! The ids of this process, on systems that have calls for the saved ones, too: setresuid(2).

use nix::unistd::{Gid, Uid, getresgid, getresuid, setresgid, setresuid};

/// Sets the real, the effective and the saved id.
pub(super) fn set_group(gid: Gid) -> nix::Result<()> {
    setresgid(gid, gid, gid)
}

/// Sets the real, the effective and the saved id.
pub(super) fn set_user(uid: Uid) -> nix::Result<()> {
    setresuid(uid, uid, uid)
}

/// The saved ids, if the system shows them.
pub(super) fn saved() -> Option<(Uid, Gid)> {
    Some((getresuid().ok()?.saved, getresgid().ok()?.saved))
}
