//! The daemon's environment: what is kept of the launcher's. If a manager's variables name the process that it started,
//! they are changed to name the daemon.

use std::{env, ffi::OsString, fmt, os::fd::AsRawFd, process};

use nix::unistd::getpid;

use super::check;
use crate::{Daemon, Error, LaunchedBy, launched_by, sys, threads::SingleThread};

/// The variables that a manager sets for libraries, `sd_notify(3)`, `sd_listen_fds(3)`, `sd_watchdog_enabled(3)`.
const MANAGERS: [&str; 7] =
    ["NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"];

/// Those of them that contain a process id.
const NAMING: [&str; 2] = ["LISTEN_PID", "WATCHDOG_PID"];

/// All code of the option `keep_env`. Only its setter refers to it, so the linker leaves it out of a program that does
/// not set the option.
pub(crate) trait Keeping: fmt::Debug + Send + Sync {
    fn prepare(&mut self, launched_by: &LaunchedBy) -> Result<(), Error>;
    fn remove_others(&self, thread: &SingleThread);
}

/// The names of the option and, after preparation, those of [`MANAGERS`], unless anybody may have set these.
#[derive(Debug)]
pub(crate) struct KeepEnv(pub(crate) Vec<OsString>);

impl Keeping for KeepEnv {
    fn prepare(&mut self, launched_by: &LaunchedBy) -> Result<(), Error> {
        check::keep_env(&self.0)?;
        self.0.extend(MANAGERS.into_iter().filter(|name| launched_by.believes(name)).map(OsString::from));
        Ok(())
    }

    fn remove_others(&self, thread: &SingleThread) {
        sys::retain_variables(|name| self.0.iter().any(|kept| kept == name), thread);
        sys::wipe_removed_variables(thread);
    }
}

/// How the daemon changes its environment.
pub(crate) struct Environment {
    /// If it is None, all variables are kept.
    keep: Option<Box<dyn Keeping>>,
    /// The variables to change: those that name the launcher, and that `setup` has not removed.
    naming_launcher: [Option<&'static str>; NAMING.len()],
}

impl Environment {
    /// In the launcher.
    pub(crate) fn new(daemon: &mut Daemon) -> Result<Self, Error> {
        let mut keep = daemon.keep_env.take();
        if let Some(keep) = &mut keep {
            keep.prepare(&daemon.launched_by)?;
        }
        let names_launcher = |name: &&str| daemon.launched_by.believes(name) && launched_by::names_this_process(name);
        Ok(Self { keep, naming_launcher: NAMING.map(|name| Some(name).filter(names_launcher)) })
    }

    /// In the daemon.
    pub(crate) fn apply(&self, thread: &SingleThread) {
        if let Some(keep) = &self.keep {
            keep.remove_others(thread);
        }
        for name in self.naming_launcher.into_iter().flatten() {
            sys::set_variable(name, Some(process::id().to_string().as_ref()), thread);
        }
        if self.naming_launcher.contains(&Some("LISTEN_PID")) && env::var_os("LISTEN_PIDFDID").is_some() {
            sys::set_variable("LISTEN_PIDFDID", pidfd_id().as_deref(), thread);
        }
    }
}

/// The inode of the pidfd. No other process gets it until the next boot, `pidfd_open(2)`. If there are no pidfds, it is
/// None, and the variable is removed.
fn pidfd_id() -> Option<OsString> {
    let pidfd = sys::pidfd_open(getpid()).ok()?;
    Some(sys::status_of(pidfd.as_raw_fd()).ok()?.st_ino.to_string().into())
}
