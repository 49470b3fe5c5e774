//! A fork copies one thread: the locks of a second one would stay locked for ever, and its work would be lost.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod others;

use crate::Error;

/// The evidence that the process has no second thread. [`fork`](crate::sys::fork) and changes of the environment demand
/// it. Code of others, such as the look-up of a user, may start a thread: ask for the evidence after that.
pub(crate) struct SingleThread(());

/// What a second thread stands in the way of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Fork,
    /// In a program that goes on.
    Spawn,
    ForkAndGiveUpPrivileges,
    /// In the foreground. To the kernel, capabilities and ids belong to each thread.
    GiveUpPrivileges,
}

/// Refuses to go on with a second thread. Only Linux tells whether there is one.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn require_single_thread(before: Step) -> Result<SingleThread, Error> {
    others::refuse(before).map(|()| SingleThread(()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unnecessary_wraps, reason = "as where it can be told")]
pub(crate) fn require_single_thread(_: Step) -> Result<SingleThread, Error> {
    Ok(SingleThread(()))
}
