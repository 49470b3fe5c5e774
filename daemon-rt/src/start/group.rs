//! Ending the daemon's process group: whoever fails to start leaves nobody behind.

use std::{
    process::ExitStatus,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

use super::children::Children;
use crate::sys;

/// How long the group may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Only where orphans can be adopted can anyone but their parent wait for them.
const ADOPTS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Makes this process the parent of what its descendants orphan, so that it can wait for them.
pub(crate) fn adopt_orphans() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = nix::sys::prctl::set_child_subreaper(true); // without it the grace is cut short, no more
}

/// Continues this process, if it is stopped, when its parent ends: stopped, it would not notice.
pub(crate) fn continue_at_end_of_parent() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGCONT);
}

/// What [`terminate`] saw.
pub(crate) struct Aftermath {
    /// How the child ended, if it did.
    pub(crate) status: Option<ExitStatus>,
    /// Whether the whole group is known to have ended.
    pub(crate) is_empty: bool,
}

/// Asks the group to end, and the child, which may have left it; then waits until they did, or for the grace.
pub(crate) fn terminate(group: Pid, child: Option<Pid>, children: &Children) -> Aftermath {
    ask_to_end(group, child);
    let deadline = Instant::now() + GRACE;
    let members = Pid::from_raw(-group.as_raw());
    let mut status = None;
    loop {
        // The child may have left the group, or be a member of it and end between these two.
        let group_has_ended = reap_all(members, child, &mut status);
        let child_has_ended = child.is_none_or(|child| reap_all(child, Some(child), &mut status));
        let is_empty = group_has_ended && child_has_ended;
        if is_empty || Instant::now() >= deadline || children.wait([], Some(deadline)).is_err() {
            return Aftermath { status, is_empty: is_empty && ADOPTS };
        }
    }
}

fn ask_to_end(group: Pid, child: Option<Pid>) {
    for signal in [Signal::SIGTERM, Signal::SIGCONT] {
        // SIGCONT, because a stopped process takes no notice of SIGTERM. An error: it has ended already.
        let _ = killpg(group, signal);
        let _ = child.map(|child| kill(child, signal));
    }
}

/// Reaps whoever of these has ended, and notes how `child` did. Whether none is left.
fn reap_all(these: Pid, child: Option<Pid>, status: &mut Option<ExitStatus>) -> bool {
    loop {
        match sys::reap(these) {
            Ok(Some((ended, how))) if Some(ended) == child => *status = Some(how),
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(_) => return true, // ECHILD
        }
    }
}
