//! The leader after the fork: it watches the daemon until that is ready, failed, or given up.

use std::{
    io::{self, Read},
    net::Shutdown,
    os::{fd::AsFd, unix::net::UnixStream},
    process::ExitStatus,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{SigSet, Signal, kill, killpg},
    unistd::{self, Pid},
};

use super::{
    children::Children,
    detach,
    group::{self, Aftermath},
    report::Report,
};
use crate::{Error, sys};

/// A process that ends closes its files shortly before its end can be waited for.
const CLOSED_BEFORE_END: Duration = Duration::from_millis(200);

pub(crate) struct Leader<'sockets> {
    pub(crate) daemon: Pid,
    pub(crate) from_daemon: &'sockets UnixStream,
    pub(crate) launcher: &'sockets UnixStream,
    pub(crate) timeout: Duration,
}

/// What ended the wait for the daemon.
enum Outcome {
    Reported(Report),
    Ended(ExitStatus),
    /// The daemon lives, but can never tell that it is ready.
    Unreachable,
    TimedOut,
    LauncherGone,
}

impl Leader<'_> {
    pub(crate) fn watch(&self) -> ! {
        let children = Children::watch(SigSet::all())
            .unwrap_or_else(|error| detach::give_up(self.launcher, Error::because("cannot block signals", error)));
        let outcome = self
            .first_outcome(&children)
            .unwrap_or_else(|error| Outcome::Reported(Error::because("cannot wait for the daemon", error).into()));
        if self.is_ready(&outcome) && Report::READY.send(self.launcher).is_ok() {
            let _ = sys::send(self.from_daemon.as_fd(), &[0]); // the answer that `ready()` waits for
            sys::exit_now(0)
        }
        self.end_group(outcome, &children)
    }

    fn first_outcome(&self, children: &Children) -> io::Result<Outcome> {
        self.from_daemon.set_nonblocking(true)?;
        self.launcher.set_nonblocking(true)?;
        let deadline = Instant::now().checked_add(self.timeout);
        let mut unreachable_from = None;
        loop {
            if unreachable_from.is_none() {
                match Report::receive(self.from_daemon) {
                    Ok(Some(report)) => return Ok(Outcome::Reported(report)),
                    Ok(None) => unreachable_from = Some(Instant::now() + CLOSED_BEFORE_END),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            if let Some((_, status)) = sys::reap(self.daemon)? {
                return Ok(Outcome::Ended(status));
            }
            if self.launcher_is_gone() {
                return Ok(Outcome::LauncherGone);
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(Outcome::TimedOut);
            }
            match unreachable_from {
                None => children.wait(&[self.from_daemon, self.launcher], deadline)?,
                Some(end) if end <= now => return Ok(Outcome::Unreachable),
                Some(end) => children.wait(&[self.launcher], Some(end))?,
            }
        }
    }

    /// The launcher never writes: there is something to read only when it has ended.
    fn launcher_is_gone(&self) -> bool {
        !matches!((&*self.launcher).read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The daemon's word counts even if its end, or the timeout, was seen first. From here on `ready()` fails.
    fn is_ready(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Reported(report) => report.is_ready(),
            Outcome::LauncherGone => false,
            Outcome::Ended(_) | Outcome::Unreachable | Outcome::TimedOut => {
                let _ = self.from_daemon.shutdown(Shutdown::Read);
                matches!(Report::receive(self.from_daemon), Ok(Some(report)) if report.is_ready())
            }
        }
    }

    fn end_group(&self, outcome: Outcome, children: &Children) -> ! {
        let _ = self.from_daemon.shutdown(Shutdown::Both);
        let own_group = unistd::getpid();
        let alive = (!matches!(outcome, Outcome::Ended(_))).then_some(self.daemon);
        let Aftermath { status, .. } = group::terminate(own_group, alive, children);
        if let Some(report) = self.report(outcome, status) {
            let _ = report.send(self.launcher);
        }
        if status.is_none() {
            let _ = alive.map(|daemon| kill(daemon, Signal::SIGKILL)); // in case that it left the group
        }
        let _ = killpg(own_group, Signal::SIGKILL); // the leader's last act: it is a member
        sys::exit_now(1)
    }

    fn report(&self, outcome: Outcome, after_term: Option<ExitStatus>) -> Option<Report> {
        match outcome {
            Outcome::Reported(report) if !report.is_ready() => Some(report),
            Outcome::Ended(status) => Some(Report::ended("the daemon", status)),
            // Slow to end, it was not reached by the SIGTERM: the status is its own.
            Outcome::Unreachable => Some(match after_term {
                Some(status) if status.code().is_some_and(|code| code != 0) => Report::ended("the daemon", status),
                _ => Report::failed(
                    "the daemon closed its line to the launcher before it was ready: did it exec another program?",
                ),
            }),
            Outcome::TimedOut => Some(Report::failed(format!("the daemon was not ready within {:?}", self.timeout))),
            Outcome::Reported(_) | Outcome::LauncherGone => None,
        }
    }
}
