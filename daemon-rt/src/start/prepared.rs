//! What the launcher makes ready for the daemon, so that what can fail has failed by then.

use std::{
    mem,
    ops::Range,
    os::{fd::RawFd, unix::net::UnixStream},
    process,
    time::Duration,
};

use super::{
    check, detach,
    environment::Environment,
    filesystem::FsContext,
    instance, ready,
    ready_fd::ReadyFd,
    report::Report,
    sd_notify::Manager,
    streams::{RedirectedStreams, Reopener, Streams},
};
use crate::{
    Daemon, Error, inherited::Inherited, messages::Messages, pidfile::Lock, privileges::Privileges,
    stderr_buffer::StderrBuffer, sys, threads::SingleThread,
};

pub(crate) struct Prepared {
    pub(crate) messages: Messages,
    pub(crate) manager: Option<Manager>,
    /// The launcher's alone: whoever else held it open would be waited for.
    pub(crate) ready_fd: Option<ReadyFd>,
    pub(crate) start_timeout: Duration,
    pub(crate) streams: Streams,
    filesystem: FsContext,
    privileges: Privileges,
    lock: Option<Lock>,
    environment: Environment,
    keep_fds: Vec<RawFd>,
    passed_fds: Range<RawFd>,
    notify: bool,
}

/// What the daemon does itself; dropped, it removes what was created in vain.
pub(crate) struct Remaining {
    /// Where the daemon is still to go: into a jail, or as another user.
    filesystem: Option<FsContext>,
    privileges: Privileges,
    lock: Option<Lock>,
    pub(crate) manager: Option<Manager>,
    environment: Environment,
    pub(crate) notify: bool,
    pub(crate) start_timeout: Duration,
    streams: RedirectedStreams,
    name: String,
}

impl Prepared {
    pub(crate) fn new(daemon: &mut Daemon) -> Result<Self, Error> {
        let privileges = Privileges::new(daemon)?;
        let account = privileges.another_account();
        let messages = Messages::of(daemon);
        let filesystem = FsContext::new(daemon, account)?;
        let reopener = Reopener { program: messages.name(), root: filesystem.root.as_deref(), account };
        Ok(Self {
            start_timeout: check::start_timeout(daemon.start_timeout)?,
            environment: Environment::new(daemon)?,
            keep_fds: check::keep_fds(mem::take(&mut daemon.keep_fds))?,
            passed_fds: daemon.launched_by.passed_fds(),
            notify: daemon.notify,
            manager: Manager::connect(daemon)?,
            ready_fd: ReadyFd::take(daemon)?,
            lock: instance::take_lock(daemon)?,
            // Last, since another instance's logs are not to be truncated.
            streams: Streams::open(daemon, account, &reopener)?,
            messages,
            filesystem,
            privileges,
        })
    }

    pub(crate) fn gives_up_privileges(&self) -> bool {
        self.privileges.are_to_change()
    }

    /// Removes what was created in vain, before a stderr that nobody reads may end this process.
    pub(crate) fn take_back(self) -> Messages {
        self.messages
    }

    /// In the leader, whose child has all of this from its first instruction on.
    pub(crate) fn apply_in_leader(self, inherited: &Inherited) -> Result<Remaining, Error> {
        inherited.close_descriptors_but(&self.keep_fds, &self.passed_fds);
        inherited.stop_ignoring_signals();
        let streams = self.streams.redirect()?;
        let filesystem = match self.filesystem {
            // From inside, the leader could not remove what was created outside.
            filesystem if filesystem.root.is_some() || self.privileges.another_account().is_some() => Some(filesystem),
            filesystem => {
                filesystem.enter()?;
                filesystem.change_directory(None)?;
                mem::forget(filesystem); // to free it would have the kernel copy what the fork shares
                None
            }
        };
        Ok(Remaining {
            filesystem,
            privileges: self.privileges,
            lock: self.lock,
            manager: self.manager,
            environment: self.environment,
            notify: self.notify,
            start_timeout: self.start_timeout,
            streams,
            name: self.messages.into_name(),
        })
    }
}

impl Remaining {
    /// Whether the daemon has a part in the start that the leader waits for.
    pub(crate) fn is_awaited(&self) -> bool {
        self.notify || self.lock.is_some() || self.filesystem.is_some() || self.privileges.are_to_change()
    }

    /// Where the daemon's errors go until it is ready, if that takes memory.
    pub(crate) fn stderr_buffer(&self) -> Option<&StderrBuffer> {
        self.streams.stderr_buffer.as_ref()
    }

    /// In the daemon.
    pub(crate) fn apply_in_daemon(mut self, thread: &SingleThread, leader: Option<UnixStream>) {
        self.streams.keep_files();
        self.environment.apply(thread);
        if let Some(manager) = self.manager.take() {
            manager.keep();
        }
        let Some(leader) = leader else { return self.streams.install_handlers(self.name) };
        let filesystem = self.filesystem.as_ref();
        let begun = filesystem
            .map_or(Ok(()), FsContext::enter)
            .and_then(|()| self.lock.as_ref().map_or(Ok(()), Lock::name_this_process))
            .and_then(|()| self.privileges.drop_for_good(thread))
            .and_then(|()| {
                filesystem.map_or(Ok(()), |filesystem| filesystem.change_directory(self.privileges.another_account()))
            })
            .and_then(|()| self.lock.map_or(Ok(()), Lock::hold_until_exit));
        if let Err(error) = begun {
            detach::give_up(&leader, error);
        }
        self.streams.install_handlers(self.name);
        if self.notify {
            ready::await_ready(leader, self.start_timeout, self.streams.stderr_buffer);
        } else if Report::Ready(process::id()).send(&leader).is_err() {
            sys::exit_now(1); // nobody gets a daemon that they were not told about
        }
    }
}
