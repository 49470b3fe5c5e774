//! How a daemon ended, and what follows.

use std::{fmt, os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

use nix::{
    libc::{self, c_int},
    unistd::Pid,
};

/// Signals that do not count as a failure, like an exit with 0: systemd.service(5).
const CLEAN: [c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGPIPE];

/// How a daemon ended.
pub(super) struct End {
    pub(super) daemon: Pid,
    pub(super) status: ExitStatus,
    pub(super) was_ready: bool,
    pub(super) was_late: bool,
}

/// What follows.
#[derive(Clone, Copy)]
pub(super) enum Next {
    StartsAgain(Duration),
    Ends,
    EndsAsAsked,
    EndsAtLimit,
}

impl End {
    /// As in systemd.service(5). If the daemon ended before it was ready, it has failed in any case.
    pub(super) fn is_failure(&self) -> bool {
        let is_clean = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => code == 0,
            (None, signal) => signal.is_some_and(|signal| CLEAN.contains(&signal)),
        };
        !(is_clean && self.was_ready)
    }
}

pub(super) struct How<'end> {
    pub(super) end: &'end End,
    pub(super) start_timeout: Duration,
}

impl fmt::Display for How<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            End { was_late: true, .. } => {
                write!(formatter, "was not ready within {:?}, and was ended", self.start_timeout)
            }
            End { was_ready: false, .. } => formatter.write_str("ended before it was ready"),
            _ => formatter.write_str("ended"),
        }
    }
}
