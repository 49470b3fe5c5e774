//! What the supervisor does: it waits for the end of the daemon, forks the next one, and lets a new supervisor take
//! over.

use std::{
    io::{self, Read},
    net::Shutdown,
    os::{
        fd::{AsFd, AsRawFd},
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};

#[cfg(any(target_os = "linux", target_os = "android"))]
use nix::sys::prctl;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use nix::sys::resource::{Resource, setrlimit};
use nix::{
    errno::Errno,
    libc::{self, c_int},
    sys::signal::SigSet,
    unistd::{ForkResult, Pid, getpid},
};

use super::{
    NextDaemon, STOPPING, Supervision,
    backoff::Backoff,
    end::{End, Next},
    handover::Handover,
    launch::HandedOver,
    line::{Line, end_of},
    upgrade::{Progress, Successor, Upgrade},
};
use crate::{
    start::{children::Children, leader::Leader, prepared::Remaining, process_group, sd_notify::Manager},
    sys::{self, CaughtSignals},
    terminal::shown_bytes,
    threads::SingleThread,
    upgrades::Upgrades,
};

/// The signal that asks it to let a new supervisor take over.
const UPGRADING: c_int = libc::SIGUSR2;

/// How long a daemon that was not ready in time may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// If the daemon ends itself when its `stop_timeout` runs out, this gives it the time to say so.
const MARGIN: Duration = Duration::from_millis(500);

/// How long to wait before the next attempt, if no process or no descriptor is free.
const UNTIL_RETRY: Duration = Duration::from_secs(1);

/// How long to pause if waiting itself fails.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Supervisor<'thread> {
    pub(super) remaining: Remaining,
    pub(super) supervision: Box<Supervision>,
    pub(super) children: Children,
    signals: CaughtSignals,
    pub(super) thread: &'thread SingleThread,
    is_stopping: bool,
    /// When the daemon was forked.
    began: Instant,
    upgrade: Option<Upgrade>,
    /// The supervisor that has taken over.
    successor: Option<Successor>,
}

enum Forked {
    Daemon { to_supervisor: Option<UnixStream> },
    Supervisor { daemon: Pid, from_daemon: Option<UnixStream> },
}

/// See [`Supervising::supervise`](super::Supervising::supervise).
pub(super) fn supervise(
    mut supervision: Box<Supervision>,
    leader: Leader,
    mut ended: Option<ExitStatus>,
    thread: &SingleThread,
) -> NextDaemon {
    let Leader { mut daemon, from_daemon, launcher, mut remaining, program } = leader;
    drop(from_daemon);
    let signals = supervision.signals.take().unwrap_or_else(CaughtSignals::catch_all);
    stop_being_leader();
    let manager = remaining.common.manager.take();
    remaining.become_supervisors(thread);
    supervision.become_supervisors(manager, thread);
    let _ = sys::send(launcher.as_fd(), &[0]); // the launcher must also learn that `ready()` was answered
    let _ = program.map(|program| program.shutdown(Shutdown::Both)); // it waits for the end
    drop(launcher);
    let mut backoff = Backoff::new(supervision.respawn.clone());
    let mut supervisor = Supervisor {
        remaining,
        supervision,
        children: Children::watch_all_signals(),
        signals,
        thread,
        is_stopping: false,
        began: Instant::now(),
        upgrade: None,
        successor: None,
    };
    let mut line = None; // it is ready
    supervisor.children.look_again(); // it may have been asked to stop while the daemon was starting
    loop {
        let end = match ended.take() {
            Some(status) => End { daemon, status, was_ready: true, was_late: false },
            None => supervisor.await_end(daemon, line.take()),
        };
        let next = supervisor.next(&end, &mut backoff);
        supervisor.tell(&end, next);
        let Next::StartsAgain(delay) = next else { supervisor.leave(end.status) };
        supervisor.pause(delay);
        match supervisor.fork_daemon() {
            Forked::Daemon { to_supervisor } => return supervisor.become_daemon(to_supervisor),
            Forked::Supervisor { daemon: next, from_daemon } => (daemon, line) = (next, from_daemon),
        }
    }
}

impl Remaining {
    /// The daemon has all this by now, and the supervisor keeps what the next one needs.
    fn become_supervisors(&mut self, thread: &SingleThread) {
        self.streams.keep_files();
        self.streams.leave_buffer();
        self.environment.apply(thread); // what the daemon does not keep must not be seen in the supervisor either
        self.common.hold_as_supervisor();
    }
}

/// The supervisor does not adopt what the daemon leaves behind, and nobody waits for the launcher any more.
fn stop_being_leader() {
    process_group::adopt_orphans(false);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = prctl::set_pdeathsig(None);
}

impl Supervisor<'_> {
    /// Waits for the end of the daemon. Meanwhile it does what signals ask for. Without a line, the daemon is ready
    /// already.
    fn await_end(&mut self, daemon: Pid, mut line: Option<UnixStream>) -> End {
        let start_timeout = self.remaining.start_timeout;
        let mut deadline = line.as_ref().and_then(|_| self.began.checked_add(start_timeout));
        let (mut was_ready, mut was_late, mut is_ending, mut is_last) = (line.is_none(), false, false, false);
        loop {
            let spoke = self.wait(line.as_ref(), deadline);
            if let Some(from_daemon) = line.take_if(|_| spoke) {
                was_ready = is_ready(&from_daemon);
                if was_ready && !is_ending {
                    deadline = None;
                } else if !was_ready && !is_last {
                    deadline = Some(Instant::now() + GRACE); // it will end, or can never be ready
                }
            }
            if let Some(status) = self.reap(Some(daemon)) {
                // Its report counts even if its end was seen first. A worker may hold its end of the line.
                was_ready |= line.is_some_and(|line| was_last_word_ready(&line));
                return End { daemon, status, was_ready, was_late };
            }
            self.see_to_upgrade();
            for signal in self.take_stopping() {
                send(daemon, &[signal, libc::SIGCONT]);
            }
            if !is_last && (self.is_stopping || self.successor.is_some()) {
                if !self.is_stopping {
                    send(daemon, &[libc::SIGTERM, libc::SIGCONT]);
                }
                self.close_all_but(line.as_ref());
                let time = self.supervision.stop_timeout.and_then(|time| time.checked_add(MARGIN));
                let end = time.and_then(|time| Instant::now().checked_add(time));
                // One that is not ready has a limit already.
                deadline = [deadline.filter(|_| !was_ready), end].into_iter().flatten().min();
                (is_ending, is_last) = (true, true);
            }
            if self.successor_has_ended() {
                send(daemon, &[libc::SIGKILL]); // as if it were the daemon's own supervisor
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                if is_ending {
                    send(daemon, &[libc::SIGKILL]);
                    deadline = None;
                } else {
                    // If the supervisor itself was stopped meanwhile, it sees the signal to continue first.
                    match line.take().map(|line| was_last_word_ready(&line)) {
                        Some(true) => (was_ready, deadline) = (true, None),
                        word => {
                            (was_late, is_ending, deadline) = (word.is_some(), true, Some(Instant::now() + GRACE));
                            send(daemon, &[libc::SIGTERM, libc::SIGCONT]); // after this, the daemon's `ready` fails
                        }
                    }
                }
            }
            if was_ready {
                self.hand_on_signals(daemon); // before, they might end it
            }
        }
    }

    /// Takes the signals that have come and ask it to stop. A successor is asked, too, and a start that would make one
    /// is ended.
    fn take_stopping(&mut self) -> impl Iterator<Item = c_int> + use<> {
        let taken = STOPPING.map(|signal| self.signals.take(signal).then_some(signal));
        for signal in taken.into_iter().flatten() {
            self.is_stopping = true;
            // Once it has closed its line, its number may be another process's.
            if let Some(Successor { pid, line: Some(_) }) = self.successor {
                send(pid, &[signal, libc::SIGCONT]);
            }
            if let Some(upgrade) = self.upgrade.take() {
                self.give_up(&upgrade, "the running daemon was asked to stop".as_bytes());
            }
        }
        taken.into_iter().flatten()
    }

    /// There is no next daemon, so a socket that this one closes must really be closed.
    fn close_all_but(&self, line: Option<&UnixStream>) {
        let [pidfile, number] = self.remaining.common.pidfile();
        let upgrades = self.supervision.upgrades.as_ref().map(Upgrades::descriptor); // whoever asks now is told of the end
        let lines = [line, self.successor.as_ref().and_then(|successor| successor.line.as_ref()), self.predecessor()];
        let [line, successor, predecessor] = lines.map(|line| line.map(AsRawFd::as_raw_fd));
        sys::close_all_but([pidfile, number, upgrades, line, successor, predecessor]);
    }

    /// All but those for the supervisor itself. They may have come since it last looked, or for what it wrote: SIGXFSZ.
    fn hand_on_signals(&self, daemon: Pid) {
        let is_own = |signal| match signal {
            UPGRADING => self.supervision.launch.is_some(),
            _ => [libc::SIGCHLD, libc::SIGXFSZ].contains(&signal) || STOPPING.contains(&signal),
        };
        for signal in self.signals.take_all_but(is_own) {
            send(daemon, &[signal]);
        }
    }

    /// Waits for a signal or a report, at most until the deadline. Returns whether the daemon has sent something.
    fn wait(&mut self, line: Option<&UnixStream>, deadline: Option<Instant>) -> bool {
        let [its_line, its_stderr] = self.upgrade.as_ref().map(Upgrade::sockets).unwrap_or_default();
        let successor = self.successor.as_ref().and_then(|successor| successor.line.as_ref());
        let its_deadline = self.upgrade.as_ref().and_then(Upgrade::deadline);
        let deadline = [deadline, its_deadline].into_iter().flatten().min();
        let predecessor = self.predecessor();
        let sockets = [line, predecessor, its_line, its_stderr, successor];
        let spoke = self.children.wait_for_some(sockets, deadline);
        self.children.let_signals_in();
        let Ok([daemon_spoke, predecessor_spoke, ..]) = spoke else {
            thread::sleep(PAUSE);
            return false;
        };
        if predecessor_spoke {
            self.supervision.hear_predecessor();
        }
        daemon_spoke
    }

    /// How the daemon ended, if it did.
    fn reap(&mut self, daemon: Option<Pid>) -> Option<ExitStatus> {
        let mut has_failed = false;
        loop {
            match sys::reap(Pid::from_raw(-1)) {
                Ok(Some((child, status))) if Some(child) == daemon => return Some(status),
                Ok(Some((child, status))) => {
                    if let Some(upgrade) = &mut self.upgrade {
                        upgrade.note_end(child, status);
                    }
                }
                Ok(None) => return None,
                Err(_) if !has_failed => has_failed = true,
                Err(_) => return daemon.map(|_| ExitStatus::from_raw(libc::SIGKILL)), // it is gone, for whatever reason
            }
        }
    }

    fn next(&self, end: &End, backoff: &mut Backoff) -> Next {
        if self.is_stopping || self.successor.is_some() {
            return Next::EndsAsAsked;
        }
        if !end.is_failure() && !self.supervision.respawn.on_success {
            return Next::Ends;
        }
        let now = Instant::now();
        backoff.next(now.saturating_duration_since(self.began), now).map_or(Next::EndsAtLimit, Next::StartsAgain)
    }

    /// Waits before the next daemon is started. Meanwhile, only the supervisor can be stopped.
    fn pause(&mut self, delay: Duration) {
        let end = Instant::now().checked_add(delay);
        loop {
            self.reap(None);
            self.see_to_upgrade();
            if let Some(signal) = self.take_stopping().next() {
                self.leave(ExitStatus::from_raw(signal)); // it may have come before the pause
            }
            if self.successor.is_some() {
                self.leave(ExitStatus::default());
            }
            if end.is_some_and(|end| end <= Instant::now()) {
                return;
            }
            self.wait(None, end);
        }
    }

    /// If the system has no free process or descriptor, it may have one later.
    fn fork_daemon(&mut self) -> Forked {
        let mut is_told = false;
        loop {
            match self.try_to_fork_daemon() {
                Ok(forked) => return forked,
                Err(error) if !is_told => {
                    self.say(libc::LOG_ERR, format_args!("cannot start the daemon again: {}", errno_of(&error)));
                }
                Err(_) => {}
            }
            is_told = true;
            self.pause(UNTIL_RETRY);
        }
    }

    fn try_to_fork_daemon(&mut self) -> io::Result<Forked> {
        if !self.remaining.notify {
            // They were meant for the daemon that has ended. The next one starts afresh anyway, and nobody knows when
            // it can take signals.
            self.signals.forget_all_but(&[STOPPING[0], STOPPING[1], UPGRADING]);
        }
        let (from_daemon, to_supervisor) = self.remaining.is_awaited().then(UnixStream::pair).transpose()?.unzip();
        self.began = Instant::now();
        Ok(match sys::fork(self.thread)? {
            ForkResult::Parent { child: daemon } => Forked::Supervisor { daemon, from_daemon },
            ForkResult::Child => Forked::Daemon { to_supervisor },
        })
    }

    fn become_daemon(self, to_supervisor: Option<UnixStream>) -> NextDaemon {
        self.signals.restore();
        let supervision = Some(self.supervision as _);
        (Remaining { is_respawned: true, supervision, ..self.remaining }, to_supervisor)
    }

    /// Begins an upgrade that was asked for, and handles the progress of one that is under way.
    fn see_to_upgrade(&mut self) {
        if let Some(launch) = self.supervision.launch.as_ref().filter(|_| self.signals.take(UPGRADING)) {
            if self.upgrade.is_none() && self.successor.is_none() && !self.is_stopping {
                if let Some(upgrades) = &self.supervision.upgrades {
                    let _ = upgrades.note_beginning(); // whoever asks from now on may mean a later version
                }
                let [lock, _] = self.remaining.common.pidfile();
                let manager = self.supervision.manager.as_ref().and_then(Manager::descriptor);
                let handed_over = HandedOver { lock, manager, keep: &self.supervision.keep_fds };
                match Upgrade::begin(
                    launch,
                    &self.remaining.name,
                    handed_over,
                    self.remaining.start_timeout,
                    self.thread,
                ) {
                    Ok(upgrade) => self.upgrade = Some(upgrade),
                    Err(error) => {
                        let why = errno_of(&error).desc();
                        let line = Line::new(format_args!("cannot start the new program: {why}"), b'\n');
                        self.tell_upgrade_failed(line.bytes().trim_ascii_end());
                    }
                }
            }
        }
        let Some(mut upgrade) = self.upgrade.take() else { return };
        match upgrade.advance(&self.remaining.name) {
            Progress::GoesOn => self.upgrade = Some(upgrade),
            Progress::Failed => self.give_up(&upgrade, upgrade.reason()),
            Progress::Done(successor) => {
                if let Some(manager) = &self.supervision.manager {
                    let state = Line::new(format_args!("MAINPID={}", successor.pid), b'\n');
                    manager.replace_main_process(state.bytes());
                }
                self.note_upgrade(None);
                self.say(libc::LOG_NOTICE, format_args!("process {} has taken over", successor.pid));
                self.successor = Some(successor);
            }
        }
    }

    fn give_up(&mut self, upgrade: &Upgrade, why: &[u8]) {
        upgrade.end();
        if upgrade.has_named_successor() {
            let _ = self.remaining.common.write_supervisor();
        }
        self.tell_upgrade_failed(why);
    }

    fn tell_upgrade_failed(&mut self, why: &[u8]) {
        self.say(libc::LOG_ERR, format_args!("cannot upgrade: {}", shown_bytes(end_of(why))));
        self.note_upgrade(Some(why));
    }

    /// Tells the result to whoever asked for the upgrade.
    fn note_upgrade(&self, failure: Option<&[u8]>) {
        if let Some(upgrades) = &self.supervision.upgrades {
            let _ = upgrades.note(failure);
        }
    }

    fn successor_has_ended(&mut self) -> bool {
        self.successor.as_mut().is_some_and(Successor::has_ended)
    }

    /// The line to the predecessor, from which this supervisor has taken over.
    fn predecessor(&self) -> Option<&UnixStream> {
        self.supervision.handover.as_ref()?.as_ref().ok().map(Handover::line)
    }

    /// Ends in the same way as the daemon.
    fn leave(&mut self, status: ExitStatus) -> ! {
        if let Some(upgrade) = self.upgrade.take() {
            self.give_up(&upgrade, b"the running daemon has ended");
        }
        self.await_predecessor();
        self.remaining.common.remove_pidfile(); // if a successor has a pidfile, it has its number
        self.children.let_signals_in();
        let _ = self.take_stopping(); // whoever asks now means the successor, too
        if let Some(successor) = self.successor.take() {
            self.leave_to(successor);
        }
        if let Some(signal) = status.signal() {
            leave_no_core();
            sys::default_action(signal);
            let _ = sys::kill(getpid(), signal);
            let _ = SigSet::empty().thread_set_mask();
            sys::exit_now(128_u8.saturating_add(u8::try_from(signal).unwrap_or_default()));
        }
        sys::exit_now(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }

    /// Whoever asked this process to stop waits for its end, and means both.
    fn leave_to(&mut self, mut successor: Successor) -> ! {
        if self.is_stopping {
            successor.let_go();
        }
        while self.is_stopping && !successor.has_ended() {
            let _ = self.children.wait_for_some([successor.line.as_ref()], None);
        }
        sys::exit_now(0)
    }

    /// The old daemon may still be serving its last requests. It is stopped together with this one, and killed if this
    /// one's successor is killed.
    fn await_predecessor(&mut self) {
        while self.supervision.predecessor_has_daemon() && !self.successor_has_ended() {
            self.wait(None, None);
            let _ = self.take_stopping(); // a successor is told, too
        }
    }
}

/// If there is a core, the daemon has left one already. A limit of 0 holds only for a file, not for a program that
/// collects cores, core(5).
fn leave_no_core() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = prctl::set_dumpable(false);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
}

/// Whatever has not been sent by now is too late.
fn was_last_word_ready(from_daemon: &UnixStream) -> bool {
    from_daemon.shutdown(Shutdown::Read).is_ok() && is_ready(from_daemon)
}

/// The first byte of a report is 0 if the daemon is ready.
fn is_ready(mut from_daemon: &UnixStream) -> bool {
    let mut status = [1];
    matches!(sys::uninterrupted(|| from_daemon.read(&mut status)), Ok(1)) && status == [0]
}

/// An error means that it has already ended.
pub(super) fn send(process: Pid, signals: &[c_int]) {
    for &signal in signals {
        let _ = sys::kill(process, signal);
    }
}

/// The error's own text would need an allocation.
fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw)
}
