//! What a supervisor hands over to the program that it executes for an upgrade, from the side of that program.
//!
//! It passes between two versions of a program, and so of this library. This is version 1:
//!
//! - The variable `DAEMON_UPGRADE` is the version and four descriptors: `1 LINE STDERR LOCK MANAGER`, in decimal. In each
//!   version `LINE` comes second.
//! - `LINE` is a stream socket whose other end is the old supervisor, the parent.
//! - `STDERR` is the standard error of the old supervisor. The program has another one, which the old supervisor reads: it
//!   is the reason if the upgrade fails.
//! - `LOCK` is open on the pidfile and locked, flock(2), or `-` without a pidfile.
//! - `MANAGER` leads to the service manager, `sd_notify(3)`, to which the old supervisor is the main process of the service. It
//!   is `-` without one.
//! - The bound sockets come as in `sd_listen_fds(3)`.
//! - The new supervisor sends its process id, four bytes in the order of the machine, when its daemon can be told that it is
//!   ready. The old one answers with one byte; if it closes the line instead, the upgrade is over.
//! - Then the new one writes its number to the pidfile and sends one byte, at once: it has ten seconds. From now on the pidfile
//!   is the new one's, and the old one ends its own daemon.
//! - The old one tells the manager that the new one is the main process now.
//! - When the old daemon has ended, the old supervisor leaves. If it was asked to stop, it sends one more byte and waits for the end of
//!   the new one. Before either, the new one does not leave. If it ends all the same, the old one kills its daemon.

use std::{
    env,
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    process,
    time::Duration,
};

use crate::{
    Error,
    inherited::Inherited,
    launched_by::{VARIABLE, line_of_upgrade},
    sys,
};

pub(super) const VERSION: &str = "1";

/// Stands for a descriptor that does not exist.
pub(super) const NONE: &str = "-";

/// How long the old supervisor may take to answer. It may be stopped.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Handover {
    line: UnixStream,
    stderr: Option<OwnedFd>,
    lock: Option<File>,
    manager: Option<OwnedFd>,
    /// Whether the old daemon has ended.
    is_over: bool,
}

impl Handover {
    /// None if the program was not executed for an upgrade.
    pub(super) fn take(inherited: &mut Inherited) -> Option<Result<Self, Error>> {
        let value = env::var(VARIABLE).ok()?;
        let line = line_of_upgrade(&value)?;
        Some(Self::take_all(inherited, line, &value))
    }

    fn take_all(inherited: &mut Inherited, line: RawFd, value: &str) -> Result<Self, Error> {
        let words: Vec<_> = value.split(' ').collect();
        let [VERSION, _, stderr, lock, manager] = words[..] else {
            let found = words[0];
            return Err(Error::new(format!(
                "cannot take over from the running daemon: it hands over by version {found}, and this program knows {VERSION}"
            )));
        };
        let mut take = |word: &str| word.parse().ok().map(|fd| inherited.take(fd)).transpose();
        Ok(Self {
            stderr: take(stderr)?,
            lock: take(lock)?.map(File::from),
            manager: take(manager)?,
            line: inherited.take(line)?.into(),
            is_over: false,
        })
    }

    /// The standard error of the old supervisor.
    pub(super) fn take_stderr(&mut self) -> Option<File> {
        self.stderr.take().map(File::from)
    }

    pub(super) fn lock(&self) -> Option<&File> {
        self.lock.as_ref()
    }

    pub(super) fn take_manager(&mut self) -> Option<OwnedFd> {
        self.manager.take()
    }

    pub(super) fn take_lock(&mut self) -> Option<File> {
        self.lock.take()
    }

    /// In the leader that becomes the supervisor: asks whether it may take over.
    pub(super) fn ask(&mut self) -> io::Result<()> {
        self.line.set_read_timeout(Some(PATIENCE))?;
        sys::send(self.line.as_fd(), &process::id().to_ne_bytes())?;
        self.line.read_exact(&mut [0])
    }

    /// Says that the pidfile names this process.
    pub(super) fn confirm(&self) -> io::Result<()> {
        sys::send(self.line.as_fd(), &[0]).map(drop)
    }

    /// The socket to the old supervisor. It is closed when that exits.
    pub(super) fn line(&self) -> &UnixStream {
        &self.line
    }

    /// Reads what the old supervisor says when its daemon has ended. False if it has exited.
    pub(super) fn hear_of_end(&mut self) -> bool {
        self.is_over = true;
        matches!(sys::uninterrupted(|| self.line.read(&mut [0])), Ok(1..))
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }
}
