//! One running instance, seen and stopped by the file that it locks.

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

/// A pidfile, for programs that look at their daemon, signal it or stop it: the file that the option
/// [`pidfile`](crate::Daemon::pidfile) names.
///
/// A daemon runs as long as the file is locked, flock(2); the number in it only says who it is. So no call here takes a
/// number at its word: a process is signalled only while the file that names it is locked, and only if the system shows
/// that it holds the file itself: by its descriptors in `/proc`, or where the caller may not look there, by its record
/// lock, fcntl(2). On Linux it is held by a pidfd meanwhile, and nobody else can get the signal.
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
/// Each call fails when the caller may not read the file, which only its owner and root may (root asks about an ordinary
/// user's daemon as that user: `runuser -u USER`); when the file is not a regular
/// one, belongs to neither root nor the caller, has a second hard link, or may be written by others; for root also when
/// others may write in a directory of its path that is not sticky; and when the file is locked but names nobody who is
/// seen to hold it.
///
/// # Platform-specific behavior
///
/// Without pidfds, that is, elsewhere than on Linux from 5.3 on, a number that is given to another process between the
/// last look and the signal is not noticed, and the end of a process is looked for every 10 ms. Elsewhere than on Linux,
/// a number is taken at its word where nothing shows who holds the file. Where there is no flock(2), every call fails.
#[derive(Debug, Clone)]
pub struct PidFile {
    path: PathBuf,
}

/// What a pidfile tells of its daemon. What stands in a file that nobody locks is not judged. In brackets the exit
/// status that the Linux Standard Base gives to the action `status` of an init script.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// A daemon runs (0). It may not have called [`ready`](crate::ready) yet.
    #[non_exhaustive]
    Running {
        /// Its process id; with [`respawn`](crate::Daemon::respawn) that of the supervisor, which stays the same.
        pid: u32,
        /// When it wrote that, before its `main` began.
        since: SystemTime,
        /// The daemon of the supervisor. None without `respawn`, before the daemon is started again, and if the daemon
        /// itself asks.
        daemon: Option<u32>,
    },
    /// A start is under way, and has the lock (0).
    Starting,
    /// No daemon runs, but one ended without removing the file: by a signal, or because it had no right to (1).
    Stale,
    /// No daemon runs (3).
    Stopped,
}

/// How [`PidFile::stop`] came to its end.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// No daemon was running.
    NotRunning,
    /// It ended on SIGTERM.
    Terminated,
    /// The time was over, and it was ended by SIGKILL.
    Killed,
}

impl PidFile {
    /// The pidfile at that path. Nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
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
    /// No daemon runs, the caller may not signal it, or there is no such signal; and see [`PidFile`].
    pub fn signal(&self, signal: i32) -> Result<(), Error> {
        actions::signal(&self.path, signal)
    }

    /// Sends SIGHUP, on which daemons read their configuration anew, daemon(7).
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal); and where the system tells (Linux), when the daemon neither handles nor ignores
    /// SIGHUP, and would be ended by it, with or without a supervisor.
    pub fn reload(&self) -> Result<(), Error> {
        actions::reload(&self.path)
    }

    /// Ends the daemon: SIGTERM, and SIGKILL when the time is over. Returns when the process has ended; a file that it
    /// left behind is removed then, if that is permitted. One that an earlier daemon left stays, for the next start. It
    /// is no error when no daemon runs. On a daemon that is the first process of its pid namespace, SIGKILL has no effect
    /// from inside, `pid_namespaces(7)`: it has to end on SIGTERM, as it does where nobody else handles that.
    ///
    /// # Errors
    ///
    /// The caller may not signal the daemon, or it did not end within 5 seconds after SIGKILL; and see [`PidFile`].
    pub fn stop(&self, timeout: Duration) -> Result<Stopped, Error> {
        actions::stop(&self.path, timeout)
    }

    /// Replaces the daemon by one of the program as it is now, without refusing or cutting a connection. Returns when the new
    /// one is ready. It takes a daemon with the option [`respawn`](crate::Daemon::respawn); the page
    /// [Staying up](crate::docs::staying_up) says what happens.
    ///
    /// The supervisor executes the program by the path, with the arguments, in the directory and with the environment of the
    /// launch. A new file at that path is a new version. Its start takes over the sockets and the pidfile, and the old daemon
    /// gets SIGTERM when the new one is ready.
    ///
    /// If several callers ask at once, there is one upgrade after the other.
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
    /// The new daemon did not get ready: the error has what its start would have told a person. The old one goes on then, as
    /// if nothing had happened. Or the time is over; the upgrade may still succeed then. Or no daemon runs, or it has no
    /// supervisor, or the caller may not signal that; and see [`PidFile`].
    ///
    /// # Platform-specific behavior
    ///
    /// Only Linux has upgrades.
    pub fn upgrade(&self, timeout: Duration) -> Result<(), Error> {
        upgrade::upgrade(&self.path, timeout)
    }
}
