//! What signals do.

use std::{io, mem, ptr};

use nix::{
    libc::{self, c_int},
    sys::signal::{SigSet, SigmaskHow, pthread_sigmask},
};

/// Linux has 64 signals, FreeBSD 128. Unknown numbers are skipped: sigaction(2) fails with EINVAL.
pub(super) const LAST_SIGNAL: c_int = if cfg!(any(target_os = "linux", target_os = "android")) { 64 } else { 128 };

/// The signals that are ignored now, including real-time ones.
pub(crate) fn ignored_signals() -> Vec<c_int> {
    (1..=LAST_SIGNAL).filter(|&signal| is_ignored(signal)).collect()
}

/// Gives a signal its default action if it is ignored.
pub(crate) fn stop_ignoring(signal: c_int) {
    if is_ignored(signal) {
        set_action(signal, &action_of(libc::SIG_DFL));
    }
}

pub(super) fn is_ignored(signal: c_int) -> bool {
    action(signal).is_some_and(|action| action.sa_sigaction == libc::SIG_IGN)
}

/// Whether a signal has its default action.
pub(crate) fn has_default(signal: c_int) -> bool {
    action(signal).is_some_and(|action| action.sa_sigaction == libc::SIG_DFL)
}

/// The action of a signal, to be restored later.
#[derive(Debug)]
pub(crate) struct Action {
    signal: c_int,
    action: Option<libc::sigaction>,
}

impl Action {
    pub(crate) fn restore(self) {
        if let Some(action) = self.action {
            set_action(self.signal, &action);
        }
    }
}

/// Gives a signal its default action, and returns the previous one.
pub(crate) fn default_action(signal: c_int) -> Action {
    replace(signal, libc::SIG_DFL)
}

/// The signals by which a person, a terminal or a service manager ends a program.
pub(crate) const INTERRUPTING: [c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// Ignores a signal, and returns the previous action.
pub(crate) fn ignore(signal: c_int) -> Action {
    replace(signal, libc::SIG_IGN)
}

/// Installs a handler that only notes the signal, and returns the previous action.
pub(super) fn note(signal: c_int, handler: extern "C" fn(c_int)) -> Action {
    replace(signal, handler as libc::sighandler_t)
}

fn replace(signal: c_int, handler: libc::sighandler_t) -> Action {
    let (new, mut before) = (action_of(handler), no_action());
    // SAFETY: as in `set_action`; what the signal did is written where the call succeeds.
    let is_replaced = unsafe { libc::sigaction(signal, &raw const new, &raw mut before) } == 0;
    Action { signal, action: is_replaced.then_some(before) }
}

/// Lets a signal interrupt a wait, and do nothing else.
pub(crate) fn let_interrupt(signal: c_int) {
    extern "C" fn nothing(_: c_int) {}
    let handler: extern "C" fn(c_int) = nothing;
    set_action(signal, &action_of(handler as libc::sighandler_t));
}

/// `pthread_sigmask(3)`: changes which signals are blocked, or only asks. Returns which were blocked before.
///
/// The old set is zeroed first, because it has room for more signals than the kernel writes.
pub(crate) fn change_mask(how: SigmaskHow, signals: Option<&SigSet>) -> io::Result<SigSet> {
    // SAFETY: all zeroes is what sigemptyset(3) makes of a set.
    let mut before = unsafe { SigSet::from_sigset_t_unchecked(mem::zeroed()) };
    pthread_sigmask(how, signals, Some(&mut before))?;
    Ok(before)
}

pub(super) fn action(signal: c_int) -> Option<libc::sigaction> {
    let mut action = no_action();
    // SAFETY: a null new action only asks; the old one is written where the call succeeds.
    (unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) } == 0).then_some(action)
}

pub(super) fn action_of(handler: libc::sighandler_t) -> libc::sigaction {
    libc::sigaction { sa_sigaction: handler, ..no_action() }
}

/// It is also the buffer for a query: musl fills only a part of the mask, and reads all of it when the action is
/// restored.
fn no_action() -> libc::sigaction {
    // SAFETY: all zeroes is a valid `sigaction`: the default handler, no flags, an empty mask.
    unsafe { mem::zeroed() }
}

/// Fails only for SIGKILL and SIGSTOP: other numbers are constants, or come from a query that succeeded.
pub(super) fn set_action(signal: c_int, action: &libc::sigaction) {
    // SAFETY: the handler is the system's, one that the program had itself, one that does nothing, or that of `termination`
    // or `hangup`, whose callers promised that what they add is async-signal-safe.
    unsafe { libc::sigaction(signal, action, ptr::null_mut()) };
}

/// Repeats the call if a signal interrupted it (EINTR), signal(7).
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
