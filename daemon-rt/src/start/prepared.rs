//! What the launcher prepares for a detached start, so that what can fail has failed by then; and what leader and daemon
//! make of it.

use std::{
    mem,
    ops::Range,
    os::{fd::RawFd, unix::net::UnixStream},
    process,
    time::Duration,
};

use super::{
    check,
    common::Common,
    environment::Environment,
    ready,
    ready_fd::ReadyFd,
    report::{self, Report},
    root::Root,
    streams::{RedirectedStreams, Reopener, Streams},
};
use crate::{
    Daemon, Error,
    inherited::Inherited,
    messages::Messages,
    run::Ready,
    stderr_buffer::StderrBuffer,
    stop_requested::{self, AtStart},
    sys,
    threads::SingleThread,
};

pub(crate) struct Prepared {
    pub(crate) messages: Messages,
    /// The launcher's alone: a supervisor waits until nobody has it open.
    pub(crate) ready_fd: Option<ReadyFd>,
    pub(crate) start_timeout: Duration,
    pub(crate) streams: Streams,
    pub(crate) common: Common,
    environment: Environment,
    keep_fds: Vec<RawFd>,
    passed_fds: Range<RawFd>,
    notify: bool,
}

/// What remains to be done by the daemon itself. Dropped, it removes what was created in vain.
pub(crate) struct Remaining {
    pub(crate) common: Common,
    pub(crate) notify: bool,
    pub(crate) start_timeout: Duration,
    environment: Environment,
    streams: RedirectedStreams,
    name: String,
}

impl Prepared {
    pub(crate) fn new(daemon: &mut Daemon) -> Result<Self, Error> {
        let start_timeout = check::start_timeout(daemon.start_timeout)?;
        let environment = Environment::new(daemon)?;
        let keep_fds = check::keep_fds(mem::take(&mut daemon.keep_fds))?;
        let ready_fd = ReadyFd::take(daemon)?;
        let messages = Messages::of(daemon);
        let common = Common::new(daemon)?;
        let account = common.privileges.another_account();
        let reopener =
            Reopener { program: messages.name(), root: common.filesystem.root.as_ref().map(Root::path), account };
        Ok(Self {
            streams: Streams::open(daemon, account, &reopener)?, // behind the lock: no other instance's log is truncated
            messages,
            ready_fd,
            start_timeout,
            common,
            environment,
            keep_fds,
            passed_fds: daemon.launched_by.passed_fds(),
            notify: daemon.notify,
        })
    }

    /// In the leader: the daemon inherits all of this, and has it from its first instruction on.
    pub(crate) fn apply_in_leader(mut self, inherited: &Inherited) -> Result<Remaining, Error> {
        inherited.close_descriptors_but(&self.keep_fds, &self.passed_fds);
        let streams = self.streams.redirect()?;
        self.common.enter_filesystem_in_leader()?;
        Ok(Remaining {
            common: self.common,
            notify: self.notify,
            start_timeout: self.start_timeout,
            environment: self.environment,
            streams,
            name: self.messages.into_name(),
        })
    }
}

impl Remaining {
    /// Whether the leader waits for word from the daemon.
    pub(crate) fn is_awaited(&self) -> bool {
        let has_steps_left = self.common.has_steps_left() || self.streams.have_limit();
        self.notify || has_steps_left || stop_requested::at_start().is_some()
    }

    /// Where the daemon's standard error goes until it is ready, if that takes memory.
    pub(crate) fn stderr_buffer(&self) -> Option<&StderrBuffer> {
        self.streams.stderr_buffer.as_ref()
    }

    /// In the daemon. `leader` is the line to the leader, where that waits for word.
    pub(crate) fn apply_in_daemon(mut self, thread: SingleThread, leader: Option<UnixStream>) {
        ready::leave_to_program(None, true);
        self.streams.keep_files();
        self.environment.apply(&thread);
        if let Some(manager) = self.common.manager.take() {
            manager.keep();
        }
        let applied = stop_requested::at_start()
            .map_or(Ok(()), AtStart::renew)
            .and_then(|()| self.common.apply(|| Ok(thread)))
            .and_then(|()| self.streams.look_after_logs());
        self.streams.arm_last_words(self.name);
        let Some(leader) = leader else { return };
        if let Err(error) = applied {
            report::give_up(&leader, error);
        }
        if self.notify {
            ready::await_ready(leader, self.start_timeout, self.streams.stderr_buffer);
        } else if Report::Ready(Ready { daemon: process::id(), ..Ready::default() }).send(&leader).is_err() {
            sys::exit_now(1); // nobody gets a daemon that they were not told about
        }
    }
}
