//! The variables by which managers identify themselves, noted once.

#[cfg(test)]
mod tests;

use std::{
    env,
    ffi::{OsStr, OsString},
    ops::Range,
    os::fd::RawFd,
    path::PathBuf,
    process,
};

use nix::{
    libc::{self, pid_t},
    unistd::getppid,
};

use super::ancestors::Ancestors;
use crate::sys;

/// `SD_LISTEN_FDS_START` of `sd_listen_fds(3)`.
const FIRST_PASSED: RawFd = libc::STDERR_FILENO + 1;

/// Where systemd listens. Nobody else can listen there, `sd_notify(3)`.
const SYSTEMD: &str = "/run/systemd/notify";

#[derive(Debug)]
pub(super) struct Variables {
    pub(super) trust: Trust,
    pub(super) systemd_exec_pid: Named,
    pub(super) has_invocation_id: bool,
    pub(super) has_supervisor_enabled: bool,
    pub(super) listen_pid: Named,
    pub(super) notify_socket: Option<OsString>,
    /// Whether a manager's variables turned out to be meant for a service above this process.
    pub(super) was_anothers: bool,
    pub(super) passed_fds: Range<RawFd>,
    pub(super) pidfile: Option<PathBuf>,
}

/// Who may have set the variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Somebody with the rights of this process.
    Everybody,
    /// Exec gave this process more rights than its caller has, but everything shows that systemd started it: a service
    /// may have file capabilities.
    Systemd,
    /// Somebody with fewer rights: exec gave this process more.
    Nobody,
}

/// The process that a variable names. If a child inherits the variable, it names another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Nobody,
    ThisProcess,
    /// The number, if it is one.
    Another(Option<u32>),
}

impl Variables {
    pub(super) fn read() -> Self {
        if sys::exec_gave_privileges() {
            return Self::of_privileged();
        }
        let listen_pid = Named::by("LISTEN_PID");
        Self {
            trust: Trust::Everybody,
            systemd_exec_pid: Named::by("SYSTEMD_EXEC_PID"),
            has_invocation_id: env::var_os("INVOCATION_ID").is_some(),
            has_supervisor_enabled: env::var_os("SUPERVISOR_ENABLED").is_some(),
            listen_pid,
            notify_socket: env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()),
            was_anothers: false,
            passed_fds: passed_fds(!matches!(listen_pid, Named::Another(_))),
            pidfile: env::var_os("PIDFILE").map(PathBuf::from).filter(|path| path.is_absolute()),
        }
    }

    /// Anybody may have set these variables. A process that was left to process 1 can also pass for a service. So
    /// whatever is trusted here must not make this process open, write or send anything that its caller could not.
    fn of_privileged() -> Self {
        let systemd_exec_pid = Named::by("SYSTEMD_EXEC_PID");
        let is_believed = systemd_exec_pid == Named::ThisProcess && getppid().as_raw() == 1;
        let listen_pid = if is_believed { Named::by("LISTEN_PID") } else { Named::Nobody };
        Self {
            trust: if is_believed { Trust::Systemd } else { Trust::Nobody },
            systemd_exec_pid: if is_believed { systemd_exec_pid } else { Named::Nobody },
            has_invocation_id: false,
            has_supervisor_enabled: false, // if systemd is trusted, its row comes first
            listen_pid,
            notify_socket: env::var_os("NOTIFY_SOCKET").filter(|socket| is_believed && socket == SYSTEMD),
            was_anothers: false,
            passed_fds: passed_fds(listen_pid == Named::ThisProcess),
            pidfile: None,
        }
    }

    /// Forgets a manager's variables that are not meant for this process or its wrappers, since everything below a
    /// service inherits them. Ancestors are looked at only if there are such variables.
    pub(super) fn forget_anothers(&mut self, parent: pid_t) {
        let is_heir = matches!(self.systemd_exec_pid, Named::Another(_)) && self.notify_socket.is_some();
        if !is_heir && !self.has_supervisor_enabled {
            return;
        }
        let ancestors = Ancestors::above(parent);
        if self.has_supervisor_enabled && !ancestors.are_supervisord() {
            self.has_supervisor_enabled = false;
            self.was_anothers = true;
        }
        if let (Named::Another(service), Some(socket)) = (self.systemd_exec_pid, &self.notify_socket) {
            let beside = env::var_os("SYSTEMD_EXEC_PID").unwrap_or_default();
            let is_own =
                ancestors.lead_to(service) || ancestors.wrote(("NOTIFY_SOCKET", socket), ("SYSTEMD_EXEC_PID", &beside));
            if !is_own {
                self.notify_socket = None;
                self.was_anothers = true;
            }
        }
    }
}

impl Named {
    fn by(key: &str) -> Self {
        match env::var_os(key) {
            None => Self::Nobody,
            Some(value) => match number(&value) {
                Some(id) if id == process::id() => Self::ThisProcess,
                id => Self::Another(id),
            },
        }
    }
}

/// Whether the variable is this process's number.
pub(crate) fn names_this_process(key: &str) -> bool {
    Named::by(key) == Named::ThisProcess
}

/// `LISTEN_PID` may be missing, as with `systemfd --no-pid`, which starts the program through another one. Libraries
/// accept that, too.
fn passed_fds(are_ours: bool) -> Range<RawFd> {
    let count = env::var_os("LISTEN_FDS").filter(|_| are_ours);
    FIRST_PASSED..count.and_then(|count| number(&count)).map_or(FIRST_PASSED, end)
}

fn end(count: u32) -> RawFd {
    RawFd::try_from(count).ok().and_then(|count| FIRST_PASSED.checked_add(count)).unwrap_or(FIRST_PASSED)
}

/// Only decimal digits count.
fn number(value: &OsStr) -> Option<u32> {
    let value = value.to_str()?;
    value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok())?
}
