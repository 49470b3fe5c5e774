//! The streams of a daemon that may fail to start yet.

use std::mem;

use nix::libc;

use super::{open::Created, reopening::WatchLogs, stand_in::StandIn};
use crate::last_words;

pub(crate) struct InPlace {
    pub(crate) stand_in: Option<StandIn>,
    pub(super) watch_logs: Option<WatchLogs>,
    /// The number of the null device.
    pub(super) null: libc::dev_t,
    pub(super) errors_are_unread: bool,
    pub(super) created: Vec<Created>,
}

impl InPlace {
    /// What was created is the daemon's from now on.
    pub(crate) fn keep(&mut self) {
        mem::forget(mem::take(&mut self.created));
    }

    /// Once the daemon is who it is to be, and before a signal can reach it.
    pub(crate) fn look_after(&mut self, name: String) {
        if let Some(watch_logs) = self.watch_logs.take() {
            watch_logs();
        }
        if self.errors_are_unread {
            last_words::arm(name, self.null);
        }
    }
}
