//! What the launcher makes ready for the daemon, so that what can fail has failed by then.

use std::{
    mem,
    ops::Range,
    os::{fd::RawFd, unix::net::UnixStream},
    process,
    time::Duration,
};

use super::{
    check, detach, instance,
    manager::Manager,
    place::Place,
    ready,
    ready_fd::ReadyFd,
    report::Report,
    streams::{InPlace, Reopener, Streams, stand_in::StandIn},
    variables::Variables,
};
use crate::{
    Daemon, Error, complaints::Complaints, inherited::Inherited, pidfile::Lock, privileges::Privileges, sys,
    threads::SingleThread,
};

pub(crate) struct Prepared {
    pub(crate) complaints: Complaints,
    pub(crate) manager: Option<Manager>,
    /// The launcher's alone: whoever else held it open would be waited for.
    pub(crate) ready_fd: Option<ReadyFd>,
    pub(crate) start_timeout: Duration,
    pub(crate) streams: Streams,
    place: Place,
    privileges: Privileges,
    lock: Option<Lock>,
    variables: Variables,
    keep_fds: Vec<RawFd>,
    passed_fds: Range<RawFd>,
    notify: bool,
}

/// What the daemon does itself; dropped, it removes what was created in vain.
pub(crate) struct Settled {
    /// Where the daemon is still to go: into a jail, or as another user.
    place: Option<Place>,
    privileges: Privileges,
    lock: Option<Lock>,
    pub(crate) manager: Option<Manager>,
    variables: Variables,
    pub(crate) notify: bool,
    pub(crate) start_timeout: Duration,
    streams: InPlace,
    name: String,
}

impl Prepared {
    pub(crate) fn new(daemon: &mut Daemon) -> Result<Self, Error> {
        let privileges = Privileges::new(daemon)?;
        let account = privileges.another_account();
        let complaints = Complaints::of(daemon);
        let place = Place::new(daemon, account)?;
        let reopener = Reopener { program: complaints.name(), root: place.root.as_deref(), account };
        Ok(Self {
            start_timeout: check::start_timeout(daemon.start_timeout)?,
            variables: Variables::new(daemon)?,
            keep_fds: check::keep_fds(mem::take(&mut daemon.keep_fds))?,
            passed_fds: daemon.launched_by.passed_descriptors(),
            notify: daemon.notify,
            manager: Manager::connect(daemon)?,
            ready_fd: ReadyFd::take(daemon)?,
            lock: instance::take_lock(daemon)?,
            // Last, since another instance's logs are not to be truncated.
            streams: Streams::open(daemon, account, &reopener)?,
            complaints,
            place,
            privileges,
        })
    }

    pub(crate) fn gives_up_privileges(&self) -> bool {
        self.privileges.are_to_change()
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
        let place = match self.place {
            // From inside, the leader could not remove what was created outside.
            place if place.root.is_some() || self.privileges.another_account().is_some() => Some(place),
            place => {
                place.enter()?;
                place.change_directory(None)?;
                mem::forget(place); // to free it would have the kernel copy what the fork shares
                None
            }
        };
        Ok(Settled {
            place,
            privileges: self.privileges,
            lock: self.lock,
            manager: self.manager,
            variables: self.variables,
            notify: self.notify,
            start_timeout: self.start_timeout,
            streams,
            name: self.complaints.into_name(),
        })
    }
}

impl Settled {
    /// Whether the daemon has a part in the start that the leader waits for.
    pub(crate) fn is_awaited(&self) -> bool {
        self.notify || self.lock.is_some() || self.place.is_some() || self.privileges.are_to_change()
    }

    /// Where the daemon's errors go until it is ready, if that takes memory.
    pub(crate) fn stand_in(&self) -> Option<&StandIn> {
        self.streams.stand_in.as_ref()
    }

    /// In the daemon.
    pub(crate) fn begin(mut self, thread: &SingleThread, leader: Option<UnixStream>) {
        self.streams.keep();
        self.variables.change(thread);
        if let Some(manager) = self.manager.take() {
            manager.keep();
        }
        let Some(leader) = leader else { return self.streams.look_after(self.name) };
        let place = self.place.as_ref();
        let begun = place
            .map_or(Ok(()), Place::enter)
            .and_then(|()| self.lock.as_ref().map_or(Ok(()), Lock::name_this_process))
            .and_then(|()| self.privileges.drop_for_good(thread))
            .and_then(|()| place.map_or(Ok(()), |place| place.change_directory(self.privileges.another_account())))
            .and_then(|()| self.lock.map_or(Ok(()), Lock::hold_until_exit));
        if let Err(error) = begun {
            detach::give_up(&leader, error);
        }
        self.streams.look_after(self.name);
        if self.notify {
            ready::await_ready(leader, self.start_timeout, self.streams.stand_in);
        } else if Report::Ready(process::id()).send(&leader).is_err() {
            sys::exit_now(1); // nobody gets a daemon that they were not told about
        }
    }
}
