//! The leader after the fork: it watches the daemon until that is ready, has failed, or is given up.

use std::{
    io::{self, Read},
    net::Shutdown,
    os::{fd::AsFd, unix::net::UnixStream},
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{SigSet, Signal, kill, killpg},
    unistd::{self, Pid},
};

use super::{
    children::Children,
    prepared::Remaining,
    process_group,
    report::{Arrived, Incoming, Report},
    supervisor::STOPPING,
};
use crate::{Error, run::Ready, stderr_buffer::BETWEEN_TRIMS, sys, threads::SingleThread};

/// When a process ends, it closes its files shortly before it can be waited for.
const CLOSED_BEFORE_END: Duration = Duration::from_millis(200);

/// How long the launcher may take to answer. If it was stopped, it reads the report when it continues.
const LAUNCHER_PATIENCE: Duration = Duration::from_secs(2);

/// The same, if the launcher tells the service manager first: somewhat longer than the limit for that.
const MANAGER_PATIENCE: Duration = Duration::from_secs(6);

pub(crate) struct Leader<'program> {
    pub(crate) daemon: Pid,
    /// The socket from the daemon. None if the daemon is ready as soon as its process exists.
    pub(crate) from_daemon: Option<UnixStream>,
    pub(crate) launcher: UnixStream,
    /// Answers in place of the launcher: the program that called `spawn`.
    pub(crate) program: Option<&'program UnixStream>,
    /// The leader also removes files that were created in vain: the launcher may have gone by then.
    pub(crate) remaining: Remaining,
}

/// What ended the wait for the daemon.
enum Outcome {
    Reported(Report),
    Ended(ExitStatus),
    /// The daemon runs, but has closed its socket: it can no longer report that it is ready.
    Unreachable,
    TimedOut,
    /// The leader, which the pidfile names as the supervisor, was asked to stop.
    Stopped,
    LauncherGone,
}

impl Leader<'_> {
    /// Returns in the daemons that it forks as their supervisor.
    pub(crate) fn watch(mut self, thread: &SingleThread) -> (Remaining, Option<UnixStream>) {
        if let Some(supervision) = &mut self.remaining.supervision {
            supervision.catch_signals();
        }
        let mut incoming = Incoming::from_daemon();
        let outcome = match &self.from_daemon {
            None => Outcome::Reported(Report::Ready(Ready::default())),
            Some(from_daemon) => self
                .first_outcome(from_daemon, &mut incoming)
                .unwrap_or_else(|error| Outcome::Reported(Error::because("cannot wait for the daemon", error).into())),
        };
        let word = self.last_word(&outcome, &mut incoming);
        if let (Outcome::Reported(Report::Ready(Ready { message, .. })), _)
        | (_, Some(Report::Ready(Ready { message, .. }))) = (&outcome, &word)
        {
            // The leader reports the id that it knows itself, because the daemon could name any process. A supervisor
            // reports its own.
            let named = if self.remaining.supervision.is_some() { unistd::getpid() } else { self.daemon };
            let ready = Ready { daemon: named.as_raw().unsigned_abs(), message: message.clone() };
            let is_known = Report::Ready(ready).send(&self.launcher).is_ok() && self.launcher_knows();
            if is_known && self.remaining.take_over() {
                let is_answered = self.answer_ready(&mut incoming);
                match self.remaining.supervision.take() {
                    // In an upgrade, if the new supervisor cannot answer the daemon, it starts the daemon again.
                    Some(supervision) if is_answered || supervision.is_upgrade() => {
                        let ended = if let Outcome::Ended(status) = outcome { Some(status) } else { None };
                        return supervision.supervise(self, ended, thread);
                    }
                    _ => sys::exit_now(u8::from(!is_answered)),
                }
            }
        }
        self.end_group(outcome, word)
    }

    fn first_outcome(&self, from_daemon: &UnixStream, incoming: &mut Incoming) -> io::Result<Outcome> {
        let mut children = Children::watch(SigSet::all())?;
        let supervision = self.remaining.supervision.as_ref();
        if supervision.is_some() {
            children.let_in(STOPPING);
        }
        let deadline = Instant::now().checked_add(self.remaining.start_timeout);
        let stderr_buffer = self.remaining.stderr_buffer();
        loop {
            let next = [deadline, stderr_buffer.map(|_| Instant::now() + BETWEEN_TRIMS)].into_iter().flatten().min();
            let [daemon_spoke, launcher_ended] = children.wait([from_daemon, &self.launcher], next)?;
            if daemon_spoke {
                match incoming.advance(from_daemon)? {
                    Arrived::Whole(report) => return Ok(Outcome::Reported(report)),
                    Arrived::End => return self.end_or_unreachable(&children),
                    Arrived::Part => {} // the deadline stays the same
                }
            }
            if let Some((_, status)) = sys::reap(self.daemon)? {
                return Ok(Outcome::Ended(status));
            }
            if launcher_ended {
                return Ok(Outcome::LauncherGone); // it writes nothing before the daemon is ready
            }
            if supervision.is_some_and(|supervision| supervision.is_asked_to_stop()) {
                return Ok(Outcome::Stopped);
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(Outcome::TimedOut);
            }
            if let Some(stderr_buffer) = stderr_buffer {
                stderr_buffer.trim();
            }
        }
    }

    /// The daemon closed its end of the socket. Has it exited?
    fn end_or_unreachable(&self, children: &Children) -> io::Result<Outcome> {
        let deadline = Instant::now() + CLOSED_BEFORE_END;
        loop {
            if let Some((_, status)) = sys::reap(self.daemon)? {
                return Ok(Outcome::Ended(status));
            }
            if deadline <= Instant::now() {
                return Ok(Outcome::Unreachable);
            }
            children.wait([], Some(deadline))?;
        }
    }

    /// The daemon's report counts even if its end, or the timeout, was seen first. From here on, `ready()` fails.
    fn last_word(&self, outcome: &Outcome, incoming: &mut Incoming) -> Option<Report> {
        let from_daemon = self.from_daemon.as_ref()?;
        if let Outcome::Reported(_) | Outcome::LauncherGone = outcome {
            return None;
        }
        what_is_left(from_daemon, incoming)
    }

    /// Waits until the launcher has read the report: nobody must get a daemon that they were not told about. Also waits
    /// until the launcher has named the daemon to the service manager. From then on the manager listens to the daemon,
    /// so what the program says after `ready()` must not come earlier. False if the launcher ended before it answered.
    fn launcher_knows(&self) -> bool {
        let patience = if self.remaining.common.manager.is_some() { MANAGER_PATIENCE } else { LAUNCHER_PATIENCE };
        match self.program {
            None => answers(&self.launcher, patience).unwrap_or(true),
            Some(program) => {
                let launcher_ended = is_first_to_end(&self.launcher, program, patience);
                if launcher_ended {
                    let _ = program.shutdown(Shutdown::Write); // the program may not have heard of the daemon
                }
                answers(program, patience).unwrap_or(!launcher_ended)
            }
        }
    }

    /// Gives `ready()` the answer that it waits for. If the daemon has ended meanwhile, it needs none. If a running
    /// daemon gets no answer, or has waited too long and taken its report back, the launcher must end it.
    fn answer_ready(&self, incoming: &mut Incoming) -> bool {
        let Some(from_daemon) = &self.from_daemon else { return true };
        match sys::send(from_daemon.as_fd(), &[0]) {
            Ok(_) => true,
            Err(error) => {
                matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
                    && !(self.remaining.notify && what_is_left(from_daemon, incoming).is_some())
            }
        }
    }

    fn end_group(self, outcome: Outcome, word: Option<Report>) -> ! {
        let own_group = unistd::getpid();
        let alive = (!matches!(outcome, Outcome::Ended(_))).then_some(self.daemon);
        if let Some(from_daemon) = &self.from_daemon {
            let _ = from_daemon.shutdown(Shutdown::Both);
        }
        let aftermath = Children::watch(SigSet::all())
            .map(|children| process_group::terminate(own_group, alive, &children, self.remaining.stderr_buffer()));
        let status = aftermath.ok().and_then(|aftermath| aftermath.status);
        let report = self.report(outcome, word, status);
        if let (Some(daemon), None) = (alive, status) {
            end(daemon);
        }
        drop(self.remaining);
        // After the report, the launcher may end the group itself.
        if let Some(report) = report {
            let _ = report.send(&self.launcher);
        }
        let _ = killpg(own_group, Signal::SIGKILL); // the leader is a member: this is its last act
        sys::exit_now(1)
    }

    fn too_late(&self) -> Report {
        let time = self.remaining.start_timeout;
        Report::failed(if self.remaining.notify {
            format!("the daemon was not ready within {time:?}: it has not called `ready`")
        } else {
            format!("the daemon was not ready within {time:?}")
        })
    }

    fn report(&self, outcome: Outcome, word: Option<Report>, after_term: Option<ExitStatus>) -> Option<Report> {
        let why = word.filter(|word| !word.is_ready());
        match outcome {
            // As if the daemon itself had been asked.
            Outcome::Stopped => match after_term {
                Some(status) => self.report(Outcome::Ended(status), why, None),
                None => Some(Report::failed("the daemon was asked to stop before it was ready")),
            },
            Outcome::Reported(report) if !report.is_ready() => Some(report),
            Outcome::Ended(_) if why.is_some() => why, // it ended while it was reporting
            Outcome::Ended(status) if status.success() && self.remaining.notify => {
                Some(Report::failed("the daemon exited with status 0 without calling `ready`"))
            }
            Outcome::Ended(status) => Some(Report::ended("the daemon", status)),
            // It was about to exit when it closed the socket: a status other than 0 does not come from our SIGTERM.
            Outcome::Unreachable => Some(match after_term {
                Some(status) if status.code().is_some_and(|code| code != 0) => Report::ended("the daemon", status),
                _ => Report::failed(
                    "the daemon closed its line to the launcher before it was ready: \
                     did it exec another program, or close all its descriptors?",
                ),
            }),
            Outcome::TimedOut => Some(self.too_late()),
            Outcome::Reported(_) | Outcome::LauncherGone => None,
        }
    }
}

/// The report that has already come, if any. After this, the daemon can send none.
fn what_is_left(from_daemon: &UnixStream, incoming: &mut Incoming) -> Option<Report> {
    let _ = from_daemon.shutdown(Shutdown::Read); // nothing more can come, and no read waits
    loop {
        match incoming.advance(from_daemon) {
            Ok(Arrived::Part) => {}
            Ok(Arrived::Whole(report)) => return Some(report),
            Ok(Arrived::End) | Err(_) => return None,
        }
    }
}

/// None if the reader is stopped.
fn answers(mut reader: &UnixStream, patience: Duration) -> Option<bool> {
    reader.set_read_timeout(Some(patience)).ok()?;
    match sys::uninterrupted(|| reader.read(&mut [0])) {
        Ok(answered) => Some(answered != 0),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Some(false),
        Err(_) => None,
    }
}

/// Whether the launcher ended before anything came from the program. Nothing is read from either.
fn is_first_to_end(launcher: &UnixStream, program: &UnixStream, patience: Duration) -> bool {
    let mut lines = [launcher, program].map(|line| PollFd::new(line.as_fd(), PollFlags::POLLIN));
    let patience = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    matches!(poll(&mut lines, patience), Ok(1..)) && lines.map(|line| line.any()) == [Some(true), Some(false)]
}

/// Ends a daemon that SIGTERM did not end, or that left the group. While it exists it holds the pidfile, which is then
/// not removed.
fn end(daemon: Pid) {
    let _ = kill(daemon, Signal::SIGKILL);
    let deadline = Instant::now() + CLOSED_BEFORE_END;
    while matches!(sys::reap(daemon), Ok(None)) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}
