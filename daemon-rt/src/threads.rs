//! A fork copies one thread. The locks of a second one would stay locked for ever, and its work would be lost.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod others;

use crate::Error;

/// The evidence that the process has no second thread. [`fork`](crate::sys::fork) and changes of the environment
/// require it. Other code, such as the look-up of a user, may start a thread: get the evidence after that.
pub(crate) struct SingleThread(());

/// The step that a second thread prevents.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Fork,
    /// In a program that goes on.
    Spawn,
    ForkAndGiveUpPrivileges,
    /// In the foreground. To the kernel, each thread has its own capabilities and ids.
    GiveUpPrivileges,
}

/// Refuses to go on if there is a second thread. Only Linux shows whether there is one.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn require_single_thread(before: Step) -> Result<SingleThread, Error> {
    others::refuse(before).map(|()| SingleThread(()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unnecessary_wraps, reason = "as where it can be told")]
pub(crate) fn require_single_thread(_: Step) -> Result<SingleThread, Error> {
    Ok(SingleThread(()))
}
