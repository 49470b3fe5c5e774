//! The standard streams after dup2(2), as long as the start may still fail.

use std::mem;

use nix::libc;

use super::{
    file::Created,
    reopening::{OpenAnew, WatchLogs},
};
use crate::{last_words, stderr_buffer::StderrBuffer};

pub(crate) struct RedirectedStreams {
    pub(crate) stderr_buffer: Option<StderrBuffer>,
    pub(super) watch_logs: Option<WatchLogs>,
    /// Opens them once more, in a process that the supervisor forked, with the option `respawn`.
    pub(super) open_anew: Option<OpenAnew>,
    /// The null device, if standard error is to be open on it.
    pub(super) stderr_null_device: Option<libc::dev_t>,
    pub(super) created: Vec<Created>,
}

impl RedirectedStreams {
    /// Files that were created stay from now on.
    pub(crate) fn keep_files(&mut self) {
        mem::forget(mem::take(&mut self.created));
    }

    /// In the supervisor: the daemon is ready, and nobody waits for what it wrote to standard error before.
    pub(crate) fn leave_buffer(&mut self) {
        let _ = self.stderr_buffer.take().map(StderrBuffer::uninstall);
    }

    /// As the daemon: whatever has become of the files meanwhile, the streams are those that have the paths now.
    pub(crate) fn open_anew(&mut self) {
        if let Some(open_anew) = self.open_anew.take() {
            open_anew();
        }
    }

    /// After the change of user, and before a signal can reach the daemon.
    pub(crate) fn install_handlers(&mut self, name: String) {
        if let Some(watch_logs) = self.watch_logs.take() {
            watch_logs();
        }
        last_words::arm(name, self.stderr_null_device);
    }
}
