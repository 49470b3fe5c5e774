//! The variables by which managers say who they are, noted once.

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

use nix::libc;

/// `SD_LISTEN_FDS_START` of `sd_listen_fds(3)`.
const FIRST_PASSED: RawFd = libc::STDERR_FILENO + 1;

#[derive(Debug)]
pub(super) struct Environment {
    pub(super) systemd_exec_pid: Named,
    pub(super) has_invocation_id: bool,
    pub(super) has_supervisor_enabled: bool,
    pub(super) listen_pid: Named,
    pub(super) notify_socket: Option<OsString>,
    pub(super) passed_descriptors: Range<RawFd>,
    pub(super) pidfile: Option<PathBuf>,
}

/// The process that a variable names. A child's copy of it names another one than the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Nobody,
    ThisProcess,
    Another,
}

impl Environment {
    pub(super) fn read() -> Self {
        let listen_pid = Named::by("LISTEN_PID");
        let passed = env::var_os("LISTEN_FDS").filter(|_| listen_pid == Named::ThisProcess);
        Self {
            systemd_exec_pid: Named::by("SYSTEMD_EXEC_PID"),
            has_invocation_id: env::var_os("INVOCATION_ID").is_some(),
            has_supervisor_enabled: env::var_os("SUPERVISOR_ENABLED").is_some(),
            listen_pid,
            notify_socket: env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()),
            passed_descriptors: FIRST_PASSED..passed.and_then(|count| number(&count)).map_or(FIRST_PASSED, end),
            pidfile: env::var_os("PIDFILE").map(PathBuf::from).filter(|path| path.is_absolute()),
        }
    }
}

impl Named {
    fn by(key: &str) -> Self {
        match env::var_os(key) {
            None => Self::Nobody,
            Some(value) if number(&value) == Some(process::id()) => Self::ThisProcess,
            Some(_) => Self::Another,
        }
    }
}

/// Whether the variable is the number of this process.
pub(crate) fn names_this_process(key: &str) -> bool {
    Named::by(key) == Named::ThisProcess
}

fn end(count: u32) -> RawFd {
    RawFd::try_from(count).ok().and_then(|count| FIRST_PASSED.checked_add(count)).unwrap_or(FIRST_PASSED)
}

/// Decimal digits and nothing else.
fn number(value: &OsStr) -> Option<u32> {
    let value = value.to_str()?;
    value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok())?
}
