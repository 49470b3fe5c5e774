//! The supervisor, with the option `respawn`. The leader stays, and forks each further daemon from the memory that
//! `setup` left.
//!
//! It keeps the launcher's privileges. So it only waits, forks and writes: it runs none of the program's code, opens no
//! file, and allocates nothing once it supervises.

mod backoff;
mod end;
mod handover;
mod launch;
mod line;
mod log;
mod said;
mod supervise;
mod upgrade;

use std::{
    fmt,
    os::{fd::RawFd, unix::net::UnixStream},
    path::Path,
    process::ExitStatus,
    time::Duration,
};

use nix::{
    libc::{self, c_int},
    unistd::{geteuid, getuid},
};

use self::{handover::Handover, launch::Launch};
use super::{
    common::Common,
    leader::Leader,
    prepared::Remaining,
    sd_notify::Manager,
    streams::{self, Candidate, OpenAnew, Reopener},
};
use crate::{
    Daemon, Error, Respawn, Stdio, launched_by,
    pidfile::Lock,
    privileges::{self, Account, Privilege},
    stdio::Kind,
    sys::{self, CaughtSignals},
    threads::SingleThread,
    upgrades::Upgrades,
};

/// The signals that ask the supervisor to end both processes.
pub(crate) const STOPPING: [c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// All code of the option `respawn`. Only its setter refers to it, so the linker leaves it out of a program that does
/// not set the option.
pub(crate) trait Supervising: fmt::Debug + Send + Sync {
    fn set(&mut self, respawn: Respawn);

    /// In a program that calls `spawn`: launching that program again would not start the daemon alone.
    fn forget_launch(&mut self);

    /// In an upgrade: the lock of the running daemon, if that has a pidfile.
    fn take_over_lock(&mut self, path: &Path) -> Option<Result<Lock, Error>>;

    /// In the launcher. `account` is the user whom the daemon becomes, if that is a different one.
    fn check(&mut self, account: Option<&Account>) -> Result<(), Error>;

    fn prepare(&mut self, stop_timeout: Option<Duration>, keep_fds: &[RawFd], stderr: Option<&mut Stdio>);

    fn open_anew(&self, logs: &[Candidate<'_>], reopener: &Reopener<'_>, watches_logs: bool) -> OpenAnew;

    /// In the leader: whoever finds its number in the pidfile can ask it for an upgrade, and learn the result.
    fn note_upgrades(&mut self);

    /// In the launcher, and in its daemon: how long [`take_over`](Self::take_over) may take.
    fn patience(&self) -> Duration;

    /// In the leader, in an upgrade: makes the old supervisor let go of the pidfile. False if it does not.
    fn take_over(&mut self, common: &mut Common) -> bool;

    /// Whether this is an upgrade. Once the old supervisor has let go, there is no way back.
    fn is_upgrade(&self) -> bool;

    /// In the daemon: drops what belongs only to the supervisor.
    fn leave_to_supervisor(&mut self, thread: &SingleThread);

    /// In a daemon that was started again and failed early: there is no launcher to read why.
    fn say_failure(&self, name: &str, error: &Error);

    /// In the leader, behind its fork: whoever finds its number in the pidfile can ask it to stop.
    fn catch_signals(&mut self);

    fn is_asked_to_stop(&self) -> bool;

    /// In the leader, when its daemon is ready. `ended` says how the daemon ended, if it did so since and was reaped.
    /// Returns in the daemons that it forks from now on.
    fn supervise(self: Box<Self>, leader: Leader, ended: Option<ExitStatus>, thread: &SingleThread) -> NextDaemon;
}

/// A daemon that the supervisor forked, and its socket to the supervisor.
type NextDaemon = (Remaining, Option<UnixStream>);

#[derive(Debug)]
struct Supervision {
    respawn: Respawn,
    stop_timeout: Option<Duration>,
    keep_fds: Vec<RawFd>,
    /// None if there can be no upgrade.
    launch: Option<Launch>,
    /// In an upgrade.
    handover: Option<Result<Handover, Error>>,
    /// None if the results of upgrades cannot be shown to anybody.
    upgrades: Option<Upgrades>,
    /// The manager that has the supervisor as its main process.
    manager: Option<Manager>,
    /// In the leader.
    signals: Option<CaughtSignals>,
}

/// See [`Daemon::respawn`].
pub(crate) fn set_respawn(daemon: &mut Daemon, respawn: Respawn) {
    if let Some(supervision) = &mut daemon.respawn {
        return supervision.set(respawn);
    }
    let handover = Handover::take(&mut daemon.inherited);
    if let Some(handover) = &handover {
        daemon.launched_by.be_upgrade(handover.as_ref().ok().and_then(Handover::lock));
    }
    let launch = Launch::note(&daemon.inherited);
    daemon.respawn = Some(Box::new(Supervision {
        respawn,
        stop_timeout: None,
        keep_fds: Vec::new(),
        launch,
        handover,
        upgrades: None,
        manager: None,
        signals: None,
    }));
}

impl Supervision {
    /// Why there can be no upgrade.
    fn refusal(&mut self) -> Option<Error> {
        self.handover.take_if(|handover| handover.is_err())?.err()
    }

    fn handover(&mut self) -> Option<&mut Handover> {
        self.handover.as_mut()?.as_mut().ok()
    }

    /// In the supervisor. Its predecessor says that its own daemon has ended, or exits.
    fn hear_predecessor(&mut self) {
        if self.handover().is_some_and(|handover| !handover.hear_of_end()) {
            self.handover = None;
        }
    }

    /// Whether the old daemon is still there.
    fn predecessor_has_daemon(&mut self) -> bool {
        self.handover().is_some_and(|handover| !handover.is_over())
    }

    /// In the supervisor. It gets the daemon's environment. `manager` is the one that was told of it.
    fn become_supervisors(&mut self, manager: Option<Manager>, thread: &SingleThread) {
        let handed_over = self.handover().and_then(Handover::take_manager);
        let manager = manager.or_else(|| handed_over.and_then(|line| Manager::take_over(line).ok()));
        self.manager = manager.filter(|_| self.launch.is_some());
        if self.handover.is_some() {
            sys::set_variable(launched_by::VARIABLE, None, thread);
        }
    }
}

impl Supervising for Supervision {
    fn set(&mut self, respawn: Respawn) {
        self.respawn = respawn;
    }

    fn forget_launch(&mut self) {
        self.launch = None;
    }

    fn take_over_lock(&mut self, path: &Path) -> Option<Result<Lock, Error>> {
        if let Some(refusal) = self.refusal() {
            return Some(Err(refusal));
        }
        self.handover()?.take_lock().map(|file| Lock::take_over(file, path))
    }

    fn check(&mut self, account: Option<&Account>) -> Result<(), Error> {
        self.refusal().map_or(Ok(()), Err)?;
        let (min, max) = self.respawn.delay;
        if self.respawn.limit == Some(0) || self.respawn.period.is_zero() {
            return Err(Error::new("`at_most` of `respawn` is zero: no daemon would be started again"));
        }
        if min.is_zero() || max < min {
            return Err(Error::new(format!(
                "`delay` of `respawn` must be above zero and must not end below its beginning, found {min:?} to {max:?}"
            )));
        }
        let Some(account) = account.filter(|account| account.uid != geteuid()) else { return Ok(()) };
        let cannot = format!("cannot supervise a process of {account}");
        if sys::exec_gave_privileges() && getuid() == geteuid() && !getuid().is_root() {
            return Err(Error::new(format!("{cannot}: the caller of this program may signal its supervisor")));
        }
        privileges::demand(Privilege::Kill, &cannot)
    }

    fn prepare(&mut self, stop_timeout: Option<Duration>, keep_fds: &[RawFd], stderr: Option<&mut Stdio>) {
        self.stop_timeout = stop_timeout;
        self.keep_fds = keep_fds.to_vec();
        // In an upgrade, it leads to the old supervisor, which has what the daemon should inherit.
        let old = self.handover().and_then(Handover::take_stderr);
        if let (Some(stderr @ Stdio { kind: Kind::Inherit, .. }), Some(old)) = (stderr, old) {
            *stderr = old.into();
        }
    }

    fn open_anew(&self, logs: &[Candidate<'_>], reopener: &Reopener<'_>, watches_logs: bool) -> OpenAnew {
        streams::open_anew(logs, reopener, watches_logs)
    }

    fn note_upgrades(&mut self) {
        self.upgrades = self.launch.as_ref().and_then(|_| Upgrades::none().ok());
    }

    fn patience(&self) -> Duration {
        self.handover.as_ref().map_or(Duration::ZERO, |_| handover::PATIENCE)
    }

    fn take_over(&mut self, common: &mut Common) -> bool {
        let Some(handover) = self.handover() else { return true };
        let is_named = handover.ask().is_ok() && common.write_supervisor().is_ok();
        common.lock_as_supervisor(); // before the old supervisor gives up its own lock
        is_named && handover.confirm().is_ok()
    }

    fn is_upgrade(&self) -> bool {
        self.handover.is_some()
    }

    fn leave_to_supervisor(&mut self, thread: &SingleThread) {
        if self.handover.take().is_some() {
            sys::set_variable(launched_by::VARIABLE, None, thread);
        }
        self.upgrades = None;
        self.manager = None;
        if let Some(launch) = self.launch.take() {
            launch.wipe();
        }
    }

    fn say_failure(&self, name: &str, error: &Error) {
        log::say_failure(name, error);
    }

    fn catch_signals(&mut self) {
        self.signals = Some(CaughtSignals::catch_all());
    }

    fn is_asked_to_stop(&self) -> bool {
        self.signals.as_ref().is_some_and(|signals| STOPPING.into_iter().any(|signal| signals.has(signal)))
    }

    fn supervise(self: Box<Self>, leader: Leader, ended: Option<ExitStatus>, thread: &SingleThread) -> NextDaemon {
        supervise::supervise(self, leader, ended, thread)
    }
}
