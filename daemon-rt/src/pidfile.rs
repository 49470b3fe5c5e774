//! The one running instance: a file that it locks shows it, and lets others stop it.

#[cfg_attr(not(unix), path = "elsewhere/actions.rs")]
mod actions;
#[cfg(unix)]
mod content;
#[cfg(unix)]
mod holder;
#[cfg_attr(not(unix), path = "elsewhere/lock.rs")]
mod lock;
#[cfg(unix)]
mod named_process;
#[cfg(unix)]
mod open_pidfile;
#[cfg_attr(not(unix), path = "elsewhere/actions.rs")]
mod upgrade;

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

pub(crate) use self::lock::Lock;
#[cfg(unix)]
pub(crate) use self::lock::already_running;
use crate::Error;

/// The file that the option [`pidfile`](crate::Daemon::pidfile) names. With it, a program looks at its daemon, signals
/// it or stops it.
///
/// A daemon runs as long as the file is locked, flock(2). The number in the file proves nothing, so no call here trusts
/// the number alone. A process is signalled only while the file that names it is locked, and only if the system shows
/// that the process itself holds the file: by its descriptors in `/proc`, or if the caller may not look there, by its
/// record lock, fcntl(2). On Linux the signal goes through a pidfd, so no other process can get it.
///
/// ```no_run
/// use std::time::Duration;
///
/// use daemon_rt::{PidFile, Status};
///
/// let pidfile = PidFile::new("/run/clockd.pid");
/// if let Status::Running { pid, .. } = pidfile.status()? {
///     println!("stopping process {pid}");
///     pidfile.stop(Duration::from_secs(10))?;
/// }
/// # Ok::<(), daemon_rt::Error>(())
/// ```
///
/// # Errors
///
/// Each call fails if the caller may not read the file; only its owner and root may. Each call also fails if the file
/// is not a regular one, belongs to neither root nor the caller, has a second hard link, or may be written by others.
/// So to ask about an ordinary user's daemon, root has to act as that user: `runuser -u USER`. For root, it fails if
/// others may write in a directory of the path that is not sticky. And it fails if the file is locked, but the process
/// that it names is not seen to hold it.
///
/// # Platform-specific behavior
///
/// Pidfds exist on Linux from 5.3 on. Without them, another process may get the number right before the signal is sent,
/// and [`stop`](Self::stop) looks every 10 ms whether the process has ended. On systems other than Linux, the number is
/// trusted if nothing shows which process holds the file. If there is no flock(2), every call fails.
#[derive(Debug, Clone)]
pub struct PidFile {
    path: PathBuf,
}

/// What a pidfile tells about its daemon. If nobody holds a lock on the file, its content does not matter. The number
/// in parentheses is the exit status that the Linux Standard Base gives to the action `status` of an init script.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// A daemon runs (0). It may not have called [`ready`](crate::ready) yet.
    #[non_exhaustive]
    Running {
        /// Its process id. With [`respawn`](crate::Daemon::respawn), that of the supervisor, which stays the same.
        pid: u32,
        /// When it wrote its process id, before its `main` began.
        since: SystemTime,
        /// With `respawn`, the process id of the daemon itself. It is `None` without `respawn`, between two daemons,
        /// and if the daemon itself asks.
        daemon: Option<u32>,
    },
    /// A start is under way, and has the lock (0).
    Starting,
    /// No daemon runs, but one left the file behind: a signal ended it, or it had no right to remove the file (1).
    Stale,
    /// No daemon runs (3).
    Stopped,
}

/// How [`PidFile::stop`] ended the daemon.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// No daemon was running.
    NotRunning,
    /// It ended on SIGTERM.
    Terminated,
    /// The time ran out, and SIGKILL ended it.
    Killed,
}

impl PidFile {
    /// A pidfile at that path. It is not opened yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a daemon runs, and which process it is.
    ///
    /// # Errors
    ///
    /// See [`PidFile`].
    pub fn status(&self) -> Result<Status, Error> {
        actions::status(&self.path)
    }

    /// Sends a signal, by its number, to the daemon.
    ///
    /// # Errors
    ///
    /// No daemon runs, the caller may not signal it, or there is no such signal. See also [`PidFile`].
    pub fn signal(&self, signal: i32) -> Result<(), Error> {
        actions::signal(&self.path, signal)
    }

    /// Sends SIGHUP, which makes daemons read their configuration again, daemon(7).
    ///
    /// # Errors
    ///
    /// The same as [`signal`](Self::signal). On Linux, it is also an error if the daemon neither handles nor ignores
    /// SIGHUP: the signal would end the daemon, with or without a supervisor. Other systems do not show this.
    pub fn reload(&self) -> Result<(), Error> {
        actions::reload(&self.path)
    }

    /// Ends the daemon: with SIGTERM, and with SIGKILL when the time runs out. Returns when the process has ended. If
    /// the daemon left its file behind, `stop` removes the file, if that is permitted. If no daemon runs, that is no
    /// error, and a file that an earlier daemon left behind stays. If the daemon is the first process of its pid
    /// namespace, SIGKILL from inside has no effect, `pid_namespaces(7)`. Such a daemon has to end on SIGTERM, as it
    /// does unless the program handles that signal.
    ///
    /// # Errors
    ///
    /// The caller may not signal the daemon, or the daemon did not end within 5 seconds after SIGKILL. See also
    /// [`PidFile`].
    pub fn stop(&self, timeout: Duration) -> Result<Stopped, Error> {
        actions::stop(&self.path, timeout)
    }

    /// Replaces the daemon with one from the program file as it is now, without refusing or cutting a connection.
    /// Returns when the new daemon is ready. The daemon needs the option [`respawn`](crate::Daemon::respawn). The page
    /// [Staying up](crate::docs::staying_up) says what happens.
    ///
    /// The supervisor executes the program with the path, arguments, directory and environment of the launch. If there
    /// is a new file at that path, that is the new version. Its start takes over the sockets and the pidfile. When the
    /// new daemon is ready, the old one gets SIGTERM.
    ///
    /// If several callers ask at once, the upgrades run one after the other. An upgrade that SIGUSR2 began, or for which
    /// its caller no longer waits, is waited for, too: no caller gets the result of another's.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use daemon_rt::PidFile;
    ///
    /// PidFile::new("/run/clockd.pid").upgrade(Duration::from_secs(30))?;
    /// # Ok::<(), daemon_rt::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The new daemon did not get ready: the error says what its start would have printed. The old daemon then goes on
    /// as if nothing had happened. It is also an error if the time runs out, although the upgrade may still succeed
    /// later; if no daemon runs; if the daemon has no supervisor; and if the caller may not signal the supervisor. See
    /// also [`PidFile`].
    ///
    /// # Platform-specific behavior
    ///
    /// Only Linux has upgrades.
    pub fn upgrade(&self, timeout: Duration) -> Result<(), Error> {
        upgrade::upgrade(&self.path, timeout)
    }
}
