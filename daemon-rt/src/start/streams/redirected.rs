//! The standard streams after dup2(2), while the start may still fail.

use std::mem;

use nix::libc;

use super::{
    file::Created,
    reopening::{OpenAnew, Reopening},
};
use crate::{
    Error, last_words,
    logs::{self, Log},
    stderr_buffer::StderrBuffer,
};

pub(crate) struct RedirectedStreams {
    pub(crate) stderr_buffer: Option<StderrBuffer>,
    pub(super) logs: Vec<Log>,
    pub(super) log_options: Vec<&'static dyn Reopening>,
    /// Opens them again, in a process that the supervisor forked, with the option `respawn`.
    pub(super) open_anew: Option<OpenAnew>,
    /// The null device, if standard error is to be open on it.
    pub(super) stderr_null_device: Option<libc::dev_t>,
    pub(super) created: Vec<Created>,
}

impl RedirectedStreams {
    /// From now on, files that the start created stay.
    pub(crate) fn keep_files(&mut self) {
        mem::forget(mem::take(&mut self.created));
    }

    /// Whether a log is to be rotated, so that a thread has to be started.
    pub(crate) fn have_limit(&self) -> bool {
        self.logs.iter().any(Log::has_limit)
    }

    /// In the supervisor: the daemon is ready, and what it wrote to standard error before is no longer needed.
    pub(crate) fn leave_buffer(&mut self) {
        let _ = self.stderr_buffer.take().map(StderrBuffer::uninstall);
    }

    /// In a process that writes a line for the supervisor: lets [`open_anew`](Self::open_anew) find the logs, without
    /// rotating them.
    pub(crate) fn watch_logs(&mut self) {
        logs::begin(&mut self.logs);
    }

    /// In the daemon: the streams become the files that the paths lead to now.
    pub(crate) fn open_anew(&mut self) {
        if let Some(open_anew) = self.open_anew.take() {
            open_anew();
        }
    }

    /// After the change of user, and before a signal can reach the daemon.
    pub(crate) fn look_after_logs(&mut self) -> Result<(), Error> {
        self.log_options.iter().try_for_each(|option| option.begin(&mut self.logs))
    }

    pub(crate) fn arm_last_words(&self, name: String) {
        last_words::arm(name, self.stderr_null_device);
    }
}
