//! A handler for SIGHUP that lives beside others.

use std::{mem::transmute, ptr, sync::OnceLock};

use nix::{
    errno::Errno,
    libc::{self, c_int, c_void, siginfo_t},
};

use super::signals::{action, action_of, set_action};

type Handler = extern "C" fn(c_int);
type InformedHandler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

struct Hangup {
    react: fn(),
    previous: libc::sigaction,
}

static HANGUP: OnceLock<Hangup> = OnceLock::new();

/// From now on, SIGHUP calls `react`, and then the handler that was there before. Once in a process.
///
/// Whoever installs a handler later calls this one if it does the same: signal-hook does, and with it tokio.
///
/// # Safety
///
/// All that `react` does is async-signal-safe, signal-safety(7).
pub(crate) unsafe fn on_hangup(react: fn()) {
    let previous = action(libc::SIGHUP).unwrap_or_else(|| action_of(libc::SIG_DFL));
    let handler: InformedHandler = handle;
    let mut action = action_of(handler as libc::sighandler_t);
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    if is_handler(&previous) {
        // On which stack it runs, what it interrupts and what it blocks stays as it was.
        action.sa_flags = (previous.sa_flags & !libc::SA_RESETHAND) | libc::SA_SIGINFO; // it serves more than once
        action.sa_mask = previous.sa_mask;
    }
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
        hangup.call_previous(signal, info, context);
    }
    Errno::set_raw(errno);
}

impl Hangup {
    fn call_previous(&self, signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        if !is_handler(&self.previous) {
            return;
        }
        let function = ptr::with_exposed_provenance::<()>(self.previous.sa_sigaction);
        if self.previous.sa_flags & libc::SA_SIGINFO == 0 {
            // SAFETY: the address of a handler, which takes only the signal where SA_SIGINFO is not set, sigaction(2).
            let call = unsafe { transmute::<*const (), Handler>(function) };
            call(signal);
        } else {
            // SAFETY: as above. With SA_SIGINFO it takes these three.
            let call = unsafe { transmute::<*const (), InformedHandler>(function) };
            call(signal, info, context);
        }
    }
}

fn is_handler(action: &libc::sigaction) -> bool {
    ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction)
}
