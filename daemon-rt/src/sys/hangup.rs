//! A handler for SIGHUP that coexists with others.

use std::sync::OnceLock;

use nix::{
    errno::Errno,
    libc::{self, c_int, c_void, siginfo_t},
};

use super::{previous_handler::PreviousHandler, signals::set_action};

struct Hangup {
    react: fn(),
    previous: Option<PreviousHandler>,
}

static HANGUP: OnceLock<Hangup> = OnceLock::new();

/// From now on, SIGHUP calls `react`, and then the handler that was there before. To be called once in a process.
///
/// A handler that is installed later calls this one if it does the same: signal-hook's does, and so does tokio's.
///
/// # Safety
///
/// All that `react` does is async-signal-safe, signal-safety(7).
pub(crate) unsafe fn on_hangup(react: fn()) {
    let previous = PreviousHandler::of(libc::SIGHUP);
    let action = PreviousHandler::followed_by(previous.as_ref(), handle);
    if HANGUP.set(Hangup { react, previous }).is_ok() {
        set_action(libc::SIGHUP, &action);
    }
}

/// From now on, SIGHUP does not end the program.
pub(crate) fn outlive_hangup() {
    // SAFETY: it does nothing.
    unsafe { on_hangup(|| {}) }
}

extern "C" fn handle(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let errno = Errno::last_raw();
    if let Some(hangup) = HANGUP.get() {
        (hangup.react)();
        if let Some(previous) = &hangup.previous {
            previous.call(signal, info, context);
        }
    }
    Errno::set_raw(errno);
}
