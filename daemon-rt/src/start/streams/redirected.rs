//! The standard streams after dup2(2), as long as the start may still fail.

use std::mem;

use nix::libc;

use super::{file::Created, reopening::Reopening};
use crate::{Error, last_words, logs::Log, stderr_buffer::StderrBuffer};

pub(crate) struct RedirectedStreams {
    pub(crate) stderr_buffer: Option<StderrBuffer>,
    pub(super) logs: Vec<Log>,
    pub(super) log_options: Vec<&'static dyn Reopening>,
    /// The null device, if standard error is to be open on it.
    pub(super) stderr_null_device: Option<libc::dev_t>,
    pub(super) created: Vec<Created>,
}

impl RedirectedStreams {
    /// Files that were created stay from now on.
    pub(crate) fn keep_files(&mut self) {
        mem::forget(mem::take(&mut self.created));
    }

    /// Whether a log is to be rotated, for which there may be no thread.
    pub(crate) fn have_limit(&self) -> bool {
        self.logs.iter().any(Log::has_limit)
    }

    /// After the change of user, and before a signal can reach the daemon.
    pub(crate) fn look_after_logs(&mut self) -> Result<(), Error> {
        self.log_options.iter().try_for_each(|option| option.begin(&mut self.logs))
    }

    pub(crate) fn arm_last_words(&self, name: String) {
        last_words::arm(name, self.stderr_null_device);
    }
}
