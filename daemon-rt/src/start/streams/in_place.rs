//! The streams of a daemon that may fail to start yet.

use std::mem;

use nix::libc;

use super::{open::Created, reopening::WatchLogs, stand_in::StandIn};
use crate::last_words;

pub(crate) struct InPlace {
    pub(crate) stand_in: Option<StandIn>,
    pub(super) watch_logs: Option<WatchLogs>,
    /// The number of the null device, if errors go there.
    pub(super) unread: Option<libc::dev_t>,
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
        last_words::arm(name, self.unread);
    }
}
