//! A limit on the time that a program takes to stop, where there is no `timer_create(2)`: alarm(2).

use std::{io, time::Duration};

use nix::{libc, unistd::alarm};

use super::termination::handle_also;

pub(crate) struct StopTimer;

impl StopTimer {
    #[allow(clippy::unnecessary_wraps, reason = "as where a timer is made")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Takes the place of the program's own alarm. Async-signal-safe, signal-safety(7).
    #[allow(clippy::unused_self, reason = "as where a timer is made")]
    pub(crate) fn start(&self, after: Duration) {
        handle_also(libc::SIGALRM);
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0); // it counts in seconds, and 0 is none
        alarm::set(seconds.try_into().unwrap_or(u32::MAX));
    }
}
