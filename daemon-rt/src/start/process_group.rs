//! Ending the daemon's process group: a start that fails leaves no process behind.

use std::{
    process::ExitStatus,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::{Pid, getpid, getppid},
};

use super::children::Children;
use crate::{
    stderr_buffer::{BETWEEN_TRIMS, StderrBuffer},
    sys,
};

/// How long the group may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Whether this process can adopt orphans, and so wait for processes that it did not start.
const ADOPTS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Makes this process the parent of what its descendants orphan, so that it can wait for them; or makes it no longer
/// so. Returns whether it was before.
pub(crate) fn adopt_orphans(adopt: bool) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let did = nix::sys::prctl::get_child_subreaper().unwrap_or(false);
        let _ = nix::sys::prctl::set_child_subreaper(adopt); // without it the grace is cut short, no more
        did
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    adopt
}

/// Has the kernel continue this process when its parent ends: if it is stopped, it would not notice.
pub(crate) fn continue_at_end_of_parent() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGCONT);
}

/// Ends this process with its parent, that one: nobody would be told what becomes of the start.
pub(crate) fn end_with(parent: Pid) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
    if getppid() != parent {
        sys::exit_now(1); // it ended before that
    }
}

/// What [`terminate`] saw.
pub(crate) struct Aftermath {
    /// How the child ended, if it did, and was reaped.
    pub(crate) status: Option<ExitStatus>,
    /// Whether the whole group is known to have ended: from then on its number may be another group's. Otherwise the caller
    /// is a member, or the last look found a child that is: until that is reaped, the number is not given away.
    pub(crate) is_empty: bool,
}

/// Asks the group to end, and the child, which may have left the group. Then waits until they have ended, or [`GRACE`] is
/// over. Meanwhile `stderr_buffer` is kept small.
///
/// Either the caller is a member of the group, or `child` leads it; `None` where that is reaped.
pub(crate) fn terminate(
    group: Pid,
    child: Option<Pid>,
    children: &Children,
    stderr_buffer: Option<&StderrBuffer>,
) -> Aftermath {
    let members = Pid::from_raw(-group.as_raw());
    let mut status = None;
    if child.is_none() && group != getpid() && reap_all(members, None, &mut status) {
        return Aftermath { status, is_empty: true }; // no child of ours is there: the number may be another group's
    }
    ask_to_end(group, child);
    let deadline = Instant::now() + GRACE;
    loop {
        // The child may have left the group, or be a member of it and end between these two.
        let group_has_ended = !ADOPTS || reap_all(members, child, &mut status);
        let child_has_ended = child.is_none_or(|child| {
            if ADOPTS || child != group {
                reap_all(child, Some(child), &mut status)
            } else {
                !matches!(sys::look_at(child), Ok(None)) // not reaped: it keeps the number of the group
            }
        });
        let is_empty = group_has_ended && child_has_ended;
        let next = [Some(deadline), stderr_buffer.map(|_| Instant::now() + BETWEEN_TRIMS)].into_iter().flatten().min();
        if is_empty || Instant::now() >= deadline || children.wait([], next).is_err() {
            return Aftermath { status, is_empty: is_empty && ADOPTS };
        }
        if let Some(stderr_buffer) = stderr_buffer {
            stderr_buffer.trim();
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
pub(crate) fn reap_all(these: Pid, child: Option<Pid>, status: &mut Option<ExitStatus>) -> bool {
    loop {
        match sys::reap(these) {
            Ok(Some((ended, how))) if Some(ended) == child => *status = Some(how),
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(_) => return true, // ECHILD
        }
    }
}
