//! Whether the supervisor of the running daemon executed the program, to have it take over.

use std::{env, os::fd::RawFd};

use nix::unistd::getppid;

use crate::sys;

/// What is in it stands in `start/supervisor/handover.rs`.
pub(crate) const VARIABLE: &str = "DAEMON_UPGRADE";

pub(crate) fn is_upgrade() -> bool {
    env::var(VARIABLE).is_ok_and(|value| line_of_upgrade(&value).is_some())
}

/// The line to the parent. A copy of the variable that a later child inherited leads to no parent, and is nothing. Neither
/// is one by which an unprivileged caller would pass for the supervisor.
pub(crate) fn line_of_upgrade(value: &str) -> Option<RawFd> {
    let line = value.split(' ').nth(1)?.parse().ok()?;
    // A parent and a peer in other pid namespaces both have the number 0.
    let is_parents = sys::peer_process(line).is_ok_and(|peer| peer == getppid() && peer.as_raw() > 0);
    (is_parents && !sys::exec_gave_privileges()).then_some(line)
}
