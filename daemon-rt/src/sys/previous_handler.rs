//! A signal handler that calls the one that it replaces.

use std::{mem::transmute, ptr};

use nix::libc::{self, c_int, c_void, siginfo_t};

use super::signals::{action, action_of};

/// With `SA_SIGINFO`, sigaction(2).
pub(super) type InformedHandler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// Without.
type Handler = extern "C" fn(c_int);

pub(super) struct PreviousHandler(libc::sigaction);

impl PreviousHandler {
    /// None if the signal has its default action, or is ignored.
    pub(super) fn of(signal: c_int) -> Option<Self> {
        let is_handler = |action: &libc::sigaction| ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction);
        action(signal).filter(is_handler).map(Self)
    }

    /// The action that replaces it with `handler`. The stack, the interrupted calls and the blocked signals stay as
    /// they were.
    pub(super) fn followed_by(previous: Option<&Self>, handler: InformedHandler) -> libc::sigaction {
        let mut new = action_of(handler as libc::sighandler_t);
        new.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        if let Some(Self(previous)) = previous {
            new.sa_flags = (previous.sa_flags & !libc::SA_RESETHAND) | libc::SA_SIGINFO; // it is called more than once
            new.sa_mask = previous.sa_mask;
        }
        new
    }

    pub(super) fn call(&self, signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        let function = ptr::with_exposed_provenance::<()>(self.0.sa_sigaction);
        if self.0.sa_flags & libc::SA_SIGINFO == 0 {
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
