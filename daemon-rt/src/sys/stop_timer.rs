//! Limits the time that a program takes to stop, without a thread.

use std::{
    io, ptr,
    sync::atomic::{AtomicPtr, Ordering::SeqCst},
    time::Duration,
};

use nix::{
    libc,
    sys::{
        signal::{SigEvent, SigevNotify, Signal},
        timer::{Expiration, Timer, TimerSetTimeFlags},
    },
    time::ClockId,
};

use super::signals::is_ignored;

/// A timer that sends SIGTERM to this process, or SIGINT if SIGTERM is ignored, `timer_create(2)`. It is created
/// beforehand, because a signal handler cannot create one. It is never deleted, because the handler may be using it. A
/// forked process does not have it.
pub(crate) struct StopTimer(AtomicPtr<Timer>);

impl StopTimer {
    pub(crate) fn new() -> io::Result<Self> {
        let signal = if is_ignored(libc::SIGTERM) { Signal::SIGINT } else { Signal::SIGTERM };
        let event = SigEvent::new(SigevNotify::SigevSignal { signal, si_value: 0 });
        let timer = Timer::new(ClockId::CLOCK_MONOTONIC, event)?;
        Ok(Self(AtomicPtr::new(Box::into_raw(Box::new(timer)))))
    }

    /// To be called once. Async-signal-safe, signal-safety(7): `timer_settime(2)`.
    pub(crate) fn start(&self, after: Duration) {
        let timer = self.0.swap(ptr::null_mut(), SeqCst);
        // SAFETY: null, or a box that was leaked, and of which nobody else has the pointer any more.
        if let Some(timer) = unsafe { timer.as_mut() } {
            let _ = timer.set(Expiration::OneShot(after.into()), TimerSetTimeFlags::empty());
        }
    }
}
