//! The start, step by step. What can fail fails in the launcher, where somebody reads it.

mod check;
mod children;
mod detach;
mod group;
pub(crate) mod inherited;
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

pub use self::ready::ready;

use std::{
    io::{self, Write},
    mem,
    os::fd::RawFd,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::stat::{Mode, umask},
    unistd::chdir,
};

use self::{detach::SignalsBefore, inherited::Inherited, report::Report, stand_in::StandIn, streams::Streams};
use crate::{Daemon, Detach, Error, launch, sys};

/// Returns where `main` is to run.
pub(crate) fn start(daemon: &mut Daemon) -> Result<(), Error> {
    match daemon.detach {
        Detach::Never => stay_in_foreground(daemon),
        Detach::Always | Detach::Auto => become_detached(daemon),
    }
}

/// Streams, signals and descriptors stay what they are.
fn stay_in_foreground(daemon: &Daemon) -> Result<(), Error> {
    let mask = check::umask(daemon.umask)?;
    let directory = directory(daemon)?;
    umask(mask);
    change_directory(&directory)
}

/// Returns in the daemon, or with an error in the launcher.
fn become_detached(daemon: &mut Daemon) -> Result<(), Error> {
    let thread = threads::refuse_second()?;
    let prepared = Prepared::new(daemon)?;
    flush();
    let (detached, prepared) = detach::detach(&thread, prepared)?;
    let notify = prepared.notify;
    match become_daemon(&daemon.inherited, detached.signals, prepared) {
        Ok(stand_in) if notify => ready::await_ready(detached.leader, stand_in),
        Ok(_) if Report::READY.send(&detached.leader).is_ok() => {}
        Ok(_) => sys::exit_now(1), // nobody gets a daemon that they were not told about
        Err(error) => detach::give_up(&detached.leader, error),
    }
    Ok(())
}

/// The steps that are the daemon's own, in an order in which none undoes another.
fn become_daemon(inherited: &Inherited, signals: SignalsBefore, prepared: Prepared) -> Result<Option<StandIn>, Error> {
    inherited.close_descriptors_but(&prepared.keep_fds);
    inherited.reset_signals(signals);
    umask(prepared.umask);
    change_directory(&prepared.directory)?;
    prepared.streams.put_in_place()
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
    keep_fds: Vec<RawFd>,
    notify: bool,
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
            // Last, since it creates and truncates files.
            streams: Streams::open(
                mem::take(&mut daemon.stdin),
                mem::take(&mut daemon.stdout),
                daemon.stderr.take(),
                &daemon.inherited,
                daemon.notify,
            )?,
        })
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
