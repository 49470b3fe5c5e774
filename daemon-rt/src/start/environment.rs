//! The daemon's environment: what is kept of the launcher's. A manager's variables that name the process which it started
//! are rewritten to name the daemon.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    os::fd::AsRawFd,
    process,
};

use nix::unistd::getpid;

use super::check;
use crate::{Daemon, Error, launched_by, sys, threads::SingleThread};

/// How a manager speaks to libraries of the program, `sd_notify(3)`, `sd_listen_fds(3)`, `sd_watchdog_enabled(3)`.
const MANAGERS: [&str; 7] =
    ["NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"];

/// Those of them that name a process by its number.
const NAMING: [&str; 2] = ["LISTEN_PID", "WATCHDOG_PID"];

/// All code of the option `keep_env`. Only its setter leads to it: the linker leaves it out of a program that does not set
/// the option.
pub(crate) trait Keeping: fmt::Debug + Send + Sync {
    fn check(&self) -> Result<(), Error>;
    fn remove_others(&self, managers: &[&str], thread: &SingleThread);
}

/// The names of the option.
#[derive(Debug)]
pub(crate) struct KeepEnv(pub(crate) Vec<OsString>);

impl Keeping for KeepEnv {
    fn check(&self) -> Result<(), Error> {
        check::keep_env(&self.0)
    }

    fn remove_others(&self, managers: &[&str], thread: &SingleThread) {
        let is_kept =
            |name: &OsStr| self.0.iter().any(|kept| kept == name) || managers.iter().any(|&kept| kept == name);
        sys::retain_variables(is_kept, thread);
        sys::wipe_removed_variables(thread);
    }
}

/// How the daemon changes its environment.
pub(crate) struct Environment {
    /// Without it, all variables are kept.
    keep: Option<Box<dyn Keeping>>,
    /// To be rewritten. What `setup` removed is not, nor what names another process.
    naming_launcher: Vec<&'static str>,
    /// Those of [`MANAGERS`] that are kept in any case: none where anybody may have written them.
    managers: Vec<&'static str>,
}

impl Environment {
    /// In the launcher.
    pub(crate) fn new(daemon: &mut Daemon) -> Result<Self, Error> {
        let managers: Vec<_> = MANAGERS.into_iter().filter(|name| daemon.launched_by.believes(name)).collect();
        let keep = daemon.keep_env.take();
        keep.as_ref().map_or(Ok(()), |keep| keep.check())?;
        Ok(Self {
            keep,
            naming_launcher: NAMING
                .into_iter()
                .filter(|name| managers.contains(name) && launched_by::names_this_process(name))
                .collect(),
            managers,
        })
    }

    /// In the daemon.
    pub(crate) fn apply(&self, thread: &SingleThread) {
        if let Some(keep) = &self.keep {
            keep.remove_others(&self.managers, thread);
        }
        for name in &self.naming_launcher {
            sys::set_variable(name, Some(process::id().to_string().as_ref()), thread);
        }
        if self.naming_launcher.contains(&"LISTEN_PID") && env::var_os("LISTEN_PIDFDID").is_some() {
            sys::set_variable("LISTEN_PIDFDID", pidfd_id().as_deref(), thread);
        }
    }
}

/// The inode of the pidfd, which no other process gets until the next boot, `pidfd_open(2)`. None where there is none: the
/// variable is removed.
fn pidfd_id() -> Option<OsString> {
    let pidfd = sys::pidfd_open(getpid()).ok()?;
    Some(sys::status_of(pidfd.as_raw_fd()).ok()?.st_ino.to_string().into())
}
