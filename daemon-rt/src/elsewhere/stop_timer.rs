//! The limit of `stop_timeout` on systems without `timer_create(2)`: alarm(2).

use std::{io, time::Duration};

use nix::{libc, unistd::alarm};

use super::termination::handle_also;

pub(crate) struct StopTimer;

impl StopTimer {
    #[allow(clippy::unnecessary_wraps, reason = "as where a timer is made")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Replaces the program's own alarm. Async-signal-safe, signal-safety(7).
    #[allow(clippy::unused_self, reason = "as where a timer is made")]
    pub(crate) fn start(&self, after: Duration) {
        handle_also(libc::SIGALRM);
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0); // it counts in seconds, and 0 means none
        alarm::set(seconds.try_into().unwrap_or(u32::MAX));
    }
}
