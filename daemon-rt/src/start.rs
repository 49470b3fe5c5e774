//! The start, step by step. What can fail fails in the launcher, where somebody reads it.

mod check;
mod children;
mod detach;
mod group;
pub(crate) mod inherited;
mod instance;
mod launcher;
mod leader;
mod null;
mod open;
mod ready;
mod report;
mod shown;
mod stand_in;
mod streams;
pub(crate) mod threads;

pub(crate) use self::instance::{lock, other_instance};
pub use self::ready::ready;

use std::{
    io::{self, Write},
    mem,
    os::{fd::RawFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::stat::{Mode, umask},
    unistd::chdir,
};

use self::{
    inherited::Inherited,
    report::Report,
    streams::{InPlace, Streams},
};
use crate::{Daemon, Detach, Error, launch, pidfile::Lock, sys};

/// Returns where `main` is to run.
pub(crate) fn start(daemon: &mut Daemon) -> Result<(), Error> {
    match daemon.detach {
        Detach::Never => stay_in_foreground(daemon),
        Detach::Always | Detach::Auto => become_detached(daemon),
    }
}

/// Streams, signals and descriptors stay what they are.
fn stay_in_foreground(daemon: &mut Daemon) -> Result<(), Error> {
    let mask = check::umask(daemon.umask)?;
    let directory = directory(daemon)?;
    let lock = instance::take_lock(daemon)?;
    umask(mask);
    change_directory(&directory)?;
    lock.map_or(Ok(()), Lock::hold_until_exit)
}

/// Returns in the daemon, or with an error in the launcher.
fn become_detached(daemon: &mut Daemon) -> Result<(), Error> {
    let thread = threads::refuse_second()?;
    let prepared = Prepared::new(daemon)?;
    flush();
    detach::detach(&thread, &daemon.inherited, prepared)
}

fn change_directory(directory: &Path) -> Result<(), Error> {
    chdir(directory)
        .map_err(|error| Error::because(format!("cannot change directory to {}", directory.display()), error))
}

/// What the launcher made ready for the daemon.
pub(crate) struct Prepared {
    pub(crate) name: String,
    pub(crate) start_timeout: Duration,
    pub(crate) streams: Streams,
    umask: Mode,
    directory: PathBuf,
    lock: Option<Lock>,
    keep_fds: Vec<RawFd>,
    notify: bool,
}

/// What the daemon does itself; dropped, it removes what was created in vain.
pub(crate) struct Settled {
    lock: Option<Lock>,
    notify: bool,
    streams: InPlace,
}

impl Prepared {
    fn new(daemon: &mut Daemon) -> Result<Self, Error> {
        Ok(Self {
            name: launch::name(daemon),
            start_timeout: check::start_timeout(daemon.start_timeout)?,
            umask: check::umask(daemon.umask)?,
            keep_fds: check::keep_fds(mem::take(&mut daemon.keep_fds))?,
            notify: daemon.notify,
            directory: directory(daemon)?,
            lock: instance::take_lock(daemon)?,
            // Last, since another instance's logs are not to be truncated.
            streams: Streams::open(
                mem::take(&mut daemon.stdin),
                mem::take(&mut daemon.stdout),
                daemon.stderr.take(),
                &daemon.inherited,
                daemon.notify,
            )?,
        })
    }

    /// In the leader, whose child has all of this from its first instruction on.
    pub(crate) fn settle(self, inherited: &Inherited) -> Result<Settled, Error> {
        inherited.close_descriptors_but(&self.keep_fds);
        inherited.stop_ignoring_signals();
        umask(self.umask);
        change_directory(&self.directory)?;
        let streams = self.streams.put_in_place()?;
        Ok(Settled { lock: self.lock, notify: self.notify, streams })
    }
}

impl Settled {
    /// Whether the daemon has a part in the start that the leader waits for.
    pub(crate) fn is_awaited(&self) -> bool {
        self.notify || self.lock.is_some()
    }

    /// In the daemon.
    pub(crate) fn begin(mut self, leader: Option<UnixStream>) {
        self.streams.keep();
        let Some(leader) = leader else { return };
        if let Err(error) = self.lock.map_or(Ok(()), Lock::hold_until_exit) {
            detach::give_up(&leader, error);
        }
        if self.notify {
            ready::await_ready(leader, self.streams.stand_in);
        } else if Report::READY.send(&leader).is_err() {
            sys::exit_now(1); // nobody gets a daemon that they were not told about
        }
    }
}

fn directory(daemon: &Daemon) -> Result<PathBuf, Error> {
    let directory = daemon.inherited.absolute(check::path("chdir", &daemon.chdir)?)?;
    check::directory(&directory)?;
    Ok(directory)
}

/// What stays in the buffers would be written by the daemon as well.
fn flush() {
    let _ = io::stdout().flush(); // what cannot be written stays in the buffer, and comes with the daemon's output
    sys::flush_c_streams();
}
