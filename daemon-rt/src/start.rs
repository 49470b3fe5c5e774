//! The start, step by step. What can fail fails in the launcher, where somebody reads it.

mod check;
mod children;
mod detach;
mod group;
mod instance;
mod jail;
mod launcher;
mod leader;
mod manager;
mod ready;
mod report;
pub(crate) mod streams;
mod variables;

pub use self::ready::ready;
pub(crate) use self::{
    instance::{lock, other_instance},
    manager::stopping,
};

use std::{
    ffi::OsString,
    io::{self, Write},
    mem,
    ops::Range,
    os::{fd::RawFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use nix::{
    sys::stat::{Mode, umask},
    unistd::chdir,
};

use self::{
    manager::Manager,
    report::Report,
    streams::{InPlace, Reopening, Streams},
};
use crate::{
    Daemon, Error,
    complaints::Complaints,
    inherited::Inherited,
    logs,
    pidfile::Lock,
    privileges::{self, Privilege, Privileges},
    sys,
    threads::{self, SingleThread, Step},
};

/// Returns where `main` is to run.
pub(crate) fn start(daemon: &mut Daemon) -> Result<(), Error> {
    if daemon.detaches() { become_detached(daemon) } else { stay_in_foreground(daemon) }
}

/// Streams, signals and descriptors stay what they are.
fn stay_in_foreground(daemon: &mut Daemon) -> Result<(), Error> {
    let place = Place::new(daemon)?;
    let privileges = Privileges::new(daemon)?;
    let thread = privileges.are_to_change().then(|| threads::refuse_second(Step::GiveUpPrivileges)).transpose()?;
    let manager = Manager::connect(daemon)?;
    let lock = instance::take_lock(daemon)?;
    place.enter()?;
    if let Some(thread) = thread {
        privileges.drop_for_good(&thread)?;
    }
    if daemon.reopen_logs {
        logs::leave_alone();
    }
    lock.map_or(Ok(()), Lock::hold_until_exit)?;
    if let Some(manager) = manager {
        manager.keep();
        ready::await_ready_in_foreground();
    }
    Ok(())
}

/// Returns in the daemon, or with an error in the launcher.
fn become_detached(daemon: &mut Daemon) -> Result<(), Error> {
    let thread = threads::refuse_second(Step::Fork)?;
    let prepared = Prepared::new(daemon)?;
    flush();
    detach::detach(&thread, &daemon.inherited, prepared)
}

/// Where the daemon is in the file system, and what it leaves to others of the files that it creates there.
struct Place {
    umask: Mode,
    root: Option<PathBuf>,
    /// Inside of that.
    directory: PathBuf,
}

impl Place {
    fn new(daemon: &Daemon) -> Result<Self, Error> {
        let umask = check::umask(daemon.umask)?;
        let directory = check::path("chdir", &daemon.chdir)?;
        let Some(root) = &daemon.chroot else {
            let directory = daemon.inherited.absolute(directory)?;
            check::directory(&directory)?;
            return Ok(Self { umask, root: None, directory });
        };
        let root = daemon.inherited.absolute(check::path("chroot", root)?)?;
        privileges::demand(Privilege::ChangeRoot, &format!("cannot change the root directory to {}", root.display()))?;
        check::root(&root)?;
        let directory = Path::new("/").join(directory);
        check::directory_inside(&root, &directory)?;
        Ok(Self { umask, root: Some(root), directory })
    }

    /// Everything that is to be open must be open.
    fn enter(&self) -> Result<(), Error> {
        umask(self.umask);
        if let Some(root) = &self.root {
            jail::enter(root)?;
        }
        let directory = self.directory.display();
        chdir(&self.directory).map_err(|error| Error::because(format!("cannot change directory to {directory}"), error))
    }
}

/// What the launcher made ready for the daemon.
pub(crate) struct Prepared {
    pub(crate) complaints: Complaints,
    pub(crate) manager: Option<Manager>,
    pub(crate) start_timeout: Duration,
    pub(crate) streams: Streams,
    place: Place,
    privileges: Privileges,
    lock: Option<Lock>,
    keep_env: Option<Vec<OsString>>,
    keep_fds: Vec<RawFd>,
    passed_fds: Range<RawFd>,
    notify: bool,
    launcher: u32,
}

/// What the daemon does itself; dropped, it removes what was created in vain.
pub(crate) struct Settled {
    privileges: Privileges,
    lock: Option<Lock>,
    pub(crate) manager: Option<Manager>,
    keep_env: Option<Vec<OsString>>,
    notify: bool,
    streams: InPlace,
    launcher: u32,
    name: String,
}

impl Prepared {
    fn new(daemon: &mut Daemon) -> Result<Self, Error> {
        let privileges = Privileges::new(daemon)?;
        let account = privileges.account.as_ref().filter(|account| !account.is_current());
        let complaints = Complaints::of(daemon);
        let place = Place::new(daemon)?;
        let reopening = Reopening { program: complaints.name(), root: place.root.as_deref(), account };
        Ok(Self {
            start_timeout: check::start_timeout(daemon.start_timeout)?,
            keep_env: daemon.keep_env.take().map(check::keep_env).transpose()?,
            keep_fds: check::keep_fds(mem::take(&mut daemon.keep_fds))?,
            passed_fds: daemon.launched_by.passed_descriptors(),
            notify: daemon.notify,
            launcher: process::id(),
            manager: Manager::connect(daemon)?,
            lock: instance::take_lock(daemon)?,
            // Last, since another instance's logs are not to be truncated.
            streams: Streams::open(daemon, account, &reopening)?,
            complaints,
            place,
            privileges,
        })
    }

    /// Removes what was created in vain, before a stderr that nobody reads may end this process.
    pub(crate) fn take_back(self) -> Complaints {
        self.complaints
    }

    /// In the leader, whose child has all of this from its first instruction on.
    pub(crate) fn settle(self, inherited: &Inherited) -> Result<Settled, Error> {
        inherited.close_descriptors_but(&self.keep_fds, &self.passed_fds);
        inherited.stop_ignoring_signals();
        let streams = self.streams.put_in_place()?;
        self.place.enter()?;
        Ok(Settled {
            privileges: self.privileges,
            lock: self.lock,
            manager: self.manager,
            keep_env: self.keep_env,
            notify: self.notify,
            streams,
            name: self.complaints.into_name(),
            launcher: self.launcher,
        })
    }
}

impl Settled {
    /// Whether the daemon has a part in the start that the leader waits for.
    pub(crate) fn is_awaited(&self) -> bool {
        self.notify || self.lock.is_some() || self.privileges.are_to_change()
    }

    /// In the daemon.
    pub(crate) fn begin(mut self, thread: &SingleThread, leader: Option<UnixStream>) {
        self.streams.keep();
        if let Some(names) = &self.keep_env {
            variables::keep(names, thread);
        }
        variables::follow(self.launcher, thread);
        if let Some(manager) = self.manager.take() {
            manager.keep();
        }
        let Some(leader) = leader else { return self.streams.look_after(self.name) };
        let begun =
            self.privileges.drop_for_good(thread).and_then(|()| self.lock.map_or(Ok(()), Lock::hold_until_exit));
        if let Err(error) = begun {
            detach::give_up(&leader, error);
        }
        self.streams.look_after(self.name);
        if self.notify {
            ready::await_ready(leader, self.streams.stand_in);
        } else if Report::ready(process::id()).send(&leader).is_err() {
            sys::exit_now(1); // nobody gets a daemon that they were not told about
        }
    }
}

/// What stays in the buffers would be written by the daemon as well.
fn flush() {
    let _ = io::stdout().flush(); // what cannot be written stays in the buffer, and comes with the daemon's output
    sys::flush_c_streams();
}
