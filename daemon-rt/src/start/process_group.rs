//! Ends the daemon's process group, so that a failed start leaves no process behind.

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

/// Whether this process can adopt orphans, and so can wait for processes that it did not start.
const ADOPTS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Makes this process adopt orphaned descendants, so that it can wait for them, or makes it stop doing so. Returns
/// whether it did so before.
pub(crate) fn adopt_orphans(adopt: bool) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let did = nix::sys::prctl::get_child_subreaper().unwrap_or(false);
        let _ = nix::sys::prctl::set_child_subreaper(adopt); // if it fails, the grace is just cut short
        did
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    adopt
}

/// Makes the kernel continue this process when its parent ends: if it is stopped, it would not notice the end.
pub(crate) fn continue_at_end_of_parent() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGCONT);
}

/// Ends this process when that parent ends: nobody would learn what becomes of the start.
pub(crate) fn end_with(parent: Pid) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
    if getppid() != parent {
        sys::exit_now(1); // the parent ended before that
    }
}

/// What [`terminate`] saw.
pub(crate) struct Aftermath {
    /// How the child ended, if it did and was reaped.
    pub(crate) status: Option<ExitStatus>,
    /// Whether the whole group is known to have ended. If so, its number may now belong to another group. If not, the
    /// caller is a member, or the last look found a child that is: until that is reaped, no other group gets the
    /// number.
    pub(crate) is_empty: bool,
}

/// Asks the group to end, and also the child, which may have left the group. Then waits until they have ended, or
/// [`GRACE`] is over. Meanwhile, keeps `stderr_buffer` small.
///
/// The caller must be a member of the group, or `child` must lead it. `child` is `None` if it is already reaped.
pub(crate) fn terminate(
    group: Pid,
    child: Option<Pid>,
    children: &Children,
    stderr_buffer: Option<&StderrBuffer>,
) -> Aftermath {
    let members = Pid::from_raw(-group.as_raw());
    let mut status = None;
    if child.is_none() && group != getpid() && reap_all(members, None, &mut status) {
        return Aftermath { status, is_empty: true }; // we have no child in it: the number may be another group's
    }
    ask_to_end(group, child);
    let deadline = Instant::now() + GRACE;
    loop {
        // The child may have left the group, or may be a member of it that ends between these two calls.
        let group_has_ended = !ADOPTS || reap_all(members, child, &mut status);
        let child_has_ended = child.is_none_or(|child| {
            if ADOPTS || child != group {
                reap_all(child, Some(child), &mut status)
            } else {
                !matches!(sys::look_at(child), Ok(None)) // not reaped, so it keeps the number of the group
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
        // SIGCONT, because a stopped process does not react to SIGTERM. An error means that it has already ended.
        let _ = killpg(group, signal);
        let _ = child.map(|child| kill(child, signal));
    }
}

/// Reaps all of these that have ended, and notes how `child` did. Returns whether none is left.
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
