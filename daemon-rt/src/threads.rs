//! A fork copies one thread: a second one's locks would stay locked for ever, and its work would be lost.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod others;

use crate::Error;

/// The evidence that the process has no second thread, which [`fork`](crate::sys::fork) and a change of the environment
/// ask for. What runs code of others, such as a look-up of a user, may start one: it is taken behind that.
pub(crate) struct SingleThread(());

/// What a second thread stands in the way of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Fork,
    ForkAndGiveUpPrivileges,
    /// In the foreground. Capabilities are per thread, and so are ids to the kernel.
    GiveUpPrivileges,
}

/// Refuses to go on with a second thread. Only Linux can tell without help of the threads themselves.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn require_single_thread(before: Step) -> Result<SingleThread, Error> {
    others::refuse(before).map(|()| SingleThread(()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unnecessary_wraps, reason = "as where it can be told")]
pub(crate) fn require_single_thread(_: Step) -> Result<SingleThread, Error> {
    Ok(SingleThread(()))
}
