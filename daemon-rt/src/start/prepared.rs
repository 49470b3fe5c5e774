//! What the launcher prepares for a detached start, so that whatever can fail has failed by then. Also what the leader
//! and the daemon do with it.

use std::{
    mem,
    ops::Range,
    os::{fd::RawFd, unix::net::UnixStream},
    process,
    time::Duration,
};

use nix::unistd::Pid;

use super::{
    check,
    common::Common,
    environment::Environment,
    process_group, ready,
    ready_fd::ReadyFd,
    report::{self, Report},
    root::Root,
    streams::{RedirectedStreams, Reopener, Streams},
    supervisor::Supervising,
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
    /// Only the launcher keeps it: a supervisor waits until no process has it open.
    pub(crate) ready_fd: Option<ReadyFd>,
    pub(crate) start_timeout: Duration,
    pub(crate) streams: Streams,
    pub(crate) common: Common,
    environment: Environment,
    keep_fds: Vec<RawFd>,
    passed_fds: Range<RawFd>,
    notify: bool,
    pub(crate) supervision: Option<Box<dyn Supervising>>,
}

/// What the daemon itself still has to do. When it is dropped, it removes the files that were created in vain.
pub(crate) struct Remaining {
    pub(crate) common: Common,
    pub(crate) notify: bool,
    pub(crate) start_timeout: Duration,
    pub(crate) environment: Environment,
    pub(crate) streams: RedirectedStreams,
    pub(crate) name: String,
    /// With the option `respawn`.
    pub(crate) supervision: Option<Box<dyn Supervising>>,
    /// Whether a supervisor has started the daemon again, so that no launcher waits for it.
    pub(crate) is_respawned: bool,
}

impl Prepared {
    pub(crate) fn new(daemon: &mut Daemon) -> Result<Self, Error> {
        let start_timeout = check::start_timeout(daemon.start_timeout)?;
        let stop_timeout = check::stop_timeout(daemon)?;
        let environment = Environment::new(daemon)?;
        let keep_fds = check::keep_fds(mem::take(&mut daemon.keep_fds))?;
        let ready_fd = ReadyFd::take(daemon)?;
        let messages = Messages::of(daemon);
        let common = Common::new(daemon)?;
        let account = common.privileges.another_account();
        if let Some(supervision) = &mut daemon.respawn {
            supervision.check(account)?;
            supervision.prepare(stop_timeout, &keep_fds, daemon.stderr.as_mut());
        }
        let reopener =
            Reopener { program: messages.name(), root: common.filesystem.root.as_ref().map(Root::path), account };
        Ok(Self {
            streams: Streams::open(daemon, account, &reopener)?, // after the lock: no other instance's log is truncated
            messages,
            ready_fd,
            start_timeout,
            common,
            environment,
            keep_fds,
            passed_fds: daemon.launched_by.passed_fds(),
            notify: daemon.notify,
            supervision: daemon.respawn.take(),
        })
    }

    /// In the leader: the daemon inherits all this, and has it from its first instruction on.
    pub(crate) fn apply_in_leader(mut self, inherited: &Inherited) -> Result<Remaining, Error> {
        inherited.close_descriptors_but(&self.keep_fds, &self.passed_fds);
        let streams = self.streams.redirect()?;
        self.common.enter_filesystem_in_leader()?;
        if let Some(supervision) = &mut self.supervision {
            supervision.note_upgrades();
            self.common.name_supervisor()?;
            self.common.privileges.leave_caller()?;
        }
        Ok(Remaining {
            common: self.common,
            notify: self.notify,
            start_timeout: self.start_timeout,
            environment: self.environment,
            streams,
            name: self.messages.into_name(),
            supervision: self.supervision,
            is_respawned: false,
        })
    }
}

impl Remaining {
    /// Whether the leader waits for a report from the daemon.
    pub(crate) fn is_awaited(&self) -> bool {
        let has_steps_left = self.common.has_steps_left() || self.streams.have_limit();
        self.notify || has_steps_left || stop_requested::at_start().is_some()
    }

    /// In an upgrade: makes the old supervisor let go of the pidfile. False if it does not, so that the start has
    /// failed.
    pub(crate) fn take_over(&mut self) -> bool {
        self.supervision.as_mut().is_none_or(|supervision| supervision.take_over(&mut self.common))
    }

    /// Where the daemon's standard error goes until it is ready, if that takes memory.
    pub(crate) fn stderr_buffer(&self) -> Option<&StderrBuffer> {
        self.streams.stderr_buffer.as_ref()
    }

    /// In the daemon. `leader` is the socket to the leader, if that waits for a report. `supervisor` is the leader
    /// itself, if that stays.
    pub(crate) fn apply_in_daemon(mut self, thread: SingleThread, leader: Option<UnixStream>, supervisor: Option<Pid>) {
        ready::leave_to_program(None, true);
        self.streams.keep_files();
        self.environment.apply(&thread);
        // To the manager, the service is the supervisor, which does not end with one of its daemons.
        if let Some(manager) = self.common.manager.take().filter(|_| supervisor.is_none()) {
            manager.keep();
        }
        let mut patience = self.start_timeout;
        if let Some(supervision) = &mut self.supervision {
            patience = patience.saturating_add(supervision.patience());
            supervision.leave_to_supervisor(&thread);
        }
        let applied =
            stop_requested::at_start().map_or(Ok(()), AtStart::renew).and_then(|()| self.common.apply(|| Ok(thread)));
        supervisor.inspect(|&supervisor| process_group::end_with(supervisor)); // a change of ids cancels it
        let applied = applied.and_then(|()| self.streams.look_after_logs());
        self.streams.arm_last_words(self.name.clone());
        if let (Err(error), Some(leader)) = (applied, &leader) {
            self.give_up(leader, error);
        }
        if self.is_respawned {
            self.streams.open_anew();
        }
        let Some(leader) = leader else { return };
        if self.notify && self.is_respawned {
            ready::await_ready_again(leader);
        } else if self.notify {
            ready::await_ready(leader, patience, self.streams.stderr_buffer);
        } else if Report::Ready(Ready { daemon: process::id(), ..Ready::default() }).send(&leader).is_err() {
            sys::exit_now(1); // nobody must get a daemon that they were not told about
        }
    }

    fn give_up(&self, leader: &UnixStream, error: Error) -> ! {
        if let (Some(supervision), true) = (&self.supervision, self.is_respawned) {
            supervision.say_failure(&self.name, &error);
            sys::exit_now(1)
        }
        report::give_up(leader, error)
    }
}
