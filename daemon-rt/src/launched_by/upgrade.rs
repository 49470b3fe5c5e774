//! Whether the supervisor of the running daemon executed the program to let it take over.

use std::{env, os::fd::RawFd};

use nix::unistd::getppid;

use crate::sys;

/// `start/supervisor/handover.rs` describes its content.
pub(crate) const VARIABLE: &str = "DAEMON_UPGRADE";

pub(crate) fn is_upgrade() -> bool {
    env::var(VARIABLE).is_ok_and(|value| line_of_upgrade(&value).is_some())
}

/// The socket to the parent. If a later child inherited the variable, the socket does not lead to its parent, so it
/// does not count. Nor does it count if an unprivileged caller could pass for the supervisor.
pub(crate) fn line_of_upgrade(value: &str) -> Option<RawFd> {
    let line = value.split(' ').nth(1)?.parse().ok()?;
    // If the parent and the peer are in other pid namespaces, both have the number 0.
    let is_parents = sys::peer_process(line).is_ok_and(|peer| peer == getppid() && peer.as_raw() > 0);
    (is_parents && !sys::exec_gave_privileges()).then_some(line)
}
