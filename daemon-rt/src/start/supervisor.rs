//! The supervisor, with the option `respawn`: the leader stays, and forks the daemon anew from the memory that `setup` left.
//!
//! It keeps the launcher's privileges. So it does nothing but wait, fork and write: it runs no code of the program, opens no
//! file, and once it supervises it allocates nothing.

mod backoff;
mod line;

use std::{
    fmt, io,
    io::Read,
    net::Shutdown,
    os::{
        fd::{AsFd, AsRawFd},
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::{self, ExitStatus},
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
    sys::{signal::SigSet, stat::SFlag},
    unistd::{ForkResult, Pid, geteuid, getpid, getuid},
};

use self::{backoff::Backoff, line::Line};
use super::{
    children::Children,
    leader::Leader,
    prepared::Remaining,
    process_group,
    streams::{self, Candidate, OpenAnew, Reopener},
};
use crate::{
    Error, Respawn,
    privileges::{self, Account, Privilege},
    sys::{self, CaughtSignals, StandardStream},
    syslog,
    terminal::shown,
    threads::SingleThread,
};

/// What asks the supervisor to end both.
const STOPPING: [c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// How a daemon ends that did not fail, besides an exit with 0: systemd.service(5).
const CLEAN: [c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGPIPE];

/// How long a daemon that was not ready in time may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// A daemon that ends itself when its `stop_timeout` is over gets the time to say so.
const MARGIN: Duration = Duration::from_millis(500);

/// How long to wait where there is no process, or no descriptor, to be had.
const UNTIL_RETRY: Duration = Duration::from_secs(1);

/// How long a line may take on its way to the log.
const UNTIL_WRITTEN: Duration = Duration::from_secs(2);

/// Where nothing can be waited for.
const PAUSE: Duration = Duration::from_millis(20);

/// The option `respawn`.
#[derive(Debug, Clone)]
pub(crate) struct Supervision {
    respawn: Respawn,
    stop_timeout: Option<Duration>,
    code: &'static dyn Supervising,
}

/// All code of the option. Only its setter leads to it: the linker leaves it out of a program that does not set it.
trait Supervising: fmt::Debug + Sync {
    fn check(&self, respawn: &Respawn, account: Option<&Account>) -> Result<(), Error>;
    fn open_anew(&self, logs: &[Candidate<'_>], reopener: &Reopener<'_>, watches_logs: bool) -> OpenAnew;
    fn say_failure(&self, name: &str, error: &Error);
    fn supervise(&self, leader: Leader, supervision: Supervision, thread: &SingleThread) -> NextDaemon;
}

/// A daemon that the supervisor forked, and its line to the supervisor.
type NextDaemon = (Remaining, Option<UnixStream>);

impl Supervision {
    pub(crate) fn new(respawn: Respawn) -> Self {
        Self { respawn, stop_timeout: None, code: &AllOfIt }
    }

    pub(crate) fn and_stop_timeout(self, stop_timeout: Option<Duration>) -> Self {
        Self { stop_timeout, ..self }
    }

    /// In the launcher. `account` is who the daemon becomes, if that is another.
    pub(crate) fn check(&self, account: Option<&Account>) -> Result<(), Error> {
        self.code.check(&self.respawn, account)
    }

    pub(crate) fn open_anew(&self, logs: &[Candidate<'_>], reopener: &Reopener<'_>, watches_logs: bool) -> OpenAnew {
        self.code.open_anew(logs, reopener, watches_logs)
    }

    /// In a daemon that was started again and got no further: no launcher reads why.
    pub(crate) fn say_failure(&self, name: &str, error: &Error) {
        self.code.say_failure(name, error);
    }

    /// In the leader, whose daemon is ready. Returns in the daemons that it forks from now on.
    pub(crate) fn supervise(self, leader: Leader, thread: &SingleThread) -> NextDaemon {
        self.code.supervise(leader, self.clone(), thread)
    }
}

#[derive(Debug)]
struct AllOfIt;

impl Supervising for AllOfIt {
    fn check(&self, respawn: &Respawn, account: Option<&Account>) -> Result<(), Error> {
        let (min, max) = respawn.delay;
        if respawn.limit == Some(0) || respawn.period.is_zero() {
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

    fn open_anew(&self, logs: &[Candidate<'_>], reopener: &Reopener<'_>, watches_logs: bool) -> OpenAnew {
        streams::open_anew(logs, reopener, watches_logs)
    }

    fn say_failure(&self, name: &str, error: &Error) {
        syslog::say(name, &format!("{error:#}"));
        if stderr_is_a_file() {
            let line = format!("{name}: {}\n", shown(&format!("{error:#}")));
            let _ = sys::write_at_once(StandardStream::Stderr, [line.as_bytes(), b""]);
        }
    }

    fn supervise(&self, leader: Leader, supervision: Supervision, thread: &SingleThread) -> NextDaemon {
        let Leader { mut daemon, from_daemon, launcher, mut remaining, program: _ } = leader;
        drop(from_daemon);
        let signals = CaughtSignals::catch_all();
        stop_being_leader();
        remaining.become_supervisors(thread);
        let _ = sys::send(launcher.as_fd(), &[0]); // the launcher, too, has to know that `ready()` was answered
        drop(launcher);
        let mut backoff = Backoff::new(supervision.respawn.clone());
        let children = Children::watch_all_signals();
        let mut supervisor =
            Supervisor { remaining, supervision, children, signals, thread, is_stopping: false, began: Instant::now() };
        let mut line = None; // it is ready
        loop {
            let end = supervisor.await_end(daemon, line.take());
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
}

impl Remaining {
    /// The daemon has all of this, and the supervisor keeps what the next one needs.
    fn become_supervisors(&mut self, thread: &SingleThread) {
        self.streams.keep_files();
        self.streams.leave_buffer();
        self.environment.apply(thread); // what the daemon does not keep is not to be seen in the supervisor either
        self.common.hold_as_supervisor();
    }
}

/// Whoever the daemon leaves behind is not the supervisor's, and nobody waits for the launcher any more.
fn stop_being_leader() {
    process_group::adopt_orphans(false);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = prctl::set_pdeathsig(None);
}

struct Supervisor<'thread> {
    remaining: Remaining,
    supervision: Supervision,
    children: Children,
    signals: CaughtSignals,
    thread: &'thread SingleThread,
    is_stopping: bool,
    /// When the daemon was forked.
    began: Instant,
}

/// How a daemon ended.
struct End {
    daemon: Pid,
    status: ExitStatus,
    was_ready: bool,
    was_late: bool,
}

/// What follows.
#[derive(Clone, Copy)]
enum Next {
    StartsAgain(Duration),
    Ends,
    EndsAsAsked,
    EndsAtLimit,
}

enum Forked {
    Daemon { to_supervisor: Option<UnixStream> },
    Supervisor { daemon: Pid, from_daemon: Option<UnixStream> },
}

impl End {
    /// As systemd.service(5) has it, where a daemon that ends before it is ready has failed in any case.
    fn is_failure(&self) -> bool {
        let is_clean = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => code == 0,
            (None, signal) => signal.is_some_and(|signal| CLEAN.contains(&signal)),
        };
        !(is_clean && self.was_ready)
    }
}

struct How<'end> {
    end: &'end End,
    start_timeout: Duration,
}

impl fmt::Display for How<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            End { was_late: true, .. } => {
                write!(formatter, "was not ready within {:?}, and was ended", self.start_timeout)
            }
            End { was_ready: false, .. } => formatter.write_str("ended before it was ready"),
            _ => formatter.write_str("ended"),
        }
    }
}

impl Supervisor<'_> {
    /// Waits for the end of the daemon, and does for it meanwhile what signals ask for. It is ready where it has no line.
    fn await_end(&mut self, daemon: Pid, mut line: Option<UnixStream>) -> End {
        let start_timeout = self.remaining.start_timeout;
        let mut deadline = line.as_ref().and_then(|_| self.began.checked_add(start_timeout));
        let (mut was_ready, mut was_late, mut is_ending) = (line.is_none(), false, false);
        loop {
            let spoke = self.wait(line.as_ref(), deadline);
            if let Some(from_daemon) = line.take_if(|_| spoke) {
                was_ready = is_ready(&from_daemon);
                if was_ready && !is_ending {
                    deadline = None;
                } else if !was_ready {
                    deadline = Some(Instant::now() + GRACE); // it ends, or can never be ready
                }
            }
            if let Some(status) = reap(daemon) {
                // Its word counts even where its end was seen first. A worker may hold its end of the line.
                was_ready |= line.is_some_and(|line| was_last_word_ready(&line));
                return End { daemon, status, was_ready, was_late };
            }
            for signal in STOPPING.into_iter().filter(|&signal| self.signals.take(signal)) {
                send(daemon, &[signal, libc::SIGCONT]);
                if !self.is_stopping {
                    // There is no next daemon: a socket that this one closes shall be closed.
                    sys::close_all_but([self.remaining.common.pidfile(), line.as_ref().map(AsRawFd::as_raw_fd)]);
                    let time = self.supervision.stop_timeout.and_then(|time| time.checked_add(MARGIN));
                    deadline = time.and_then(|time| Instant::now().checked_add(time));
                    (self.is_stopping, is_ending) = (true, true);
                }
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                if is_ending {
                    send(daemon, &[libc::SIGKILL]);
                    deadline = None;
                } else {
                    // A supervisor that was stopped meanwhile sees the signal to continue first.
                    match line.take().map(|line| was_last_word_ready(&line)) {
                        Some(true) => (was_ready, deadline) = (true, None),
                        word => {
                            (was_late, is_ending, deadline) = (word.is_some(), true, Some(Instant::now() + GRACE));
                            send(daemon, &[libc::SIGTERM, libc::SIGCONT]); // from here on its `ready` fails
                        }
                    }
                }
            }
            if was_ready {
                self.hand_on_signals(daemon); // before, they might end it
            }
        }
    }

    fn hand_on_signals(&self, daemon: Pid) {
        for signal in self.signals.take_all().filter(|&signal| signal != libc::SIGCHLD) {
            send(daemon, &[signal]);
        }
    }

    /// Waits for a signal or a word of the daemon, at most until the deadline. Returns whether it is the latter.
    fn wait(&self, line: Option<&UnixStream>, deadline: Option<Instant>) -> bool {
        let spoke = match line {
            Some(line) => self.children.wait([line], deadline).map(|[spoke]| spoke),
            None => self.children.wait([], deadline).map(|[]| false),
        };
        self.children.let_signals_in();
        spoke.unwrap_or_else(|_| {
            thread::sleep(PAUSE);
            false
        })
    }

    fn next(&self, end: &End, backoff: &mut Backoff) -> Next {
        if self.is_stopping {
            return Next::EndsAsAsked;
        }
        if !end.is_failure() && !self.supervision.respawn.on_success {
            return Next::Ends;
        }
        let now = Instant::now();
        backoff.next(now.saturating_duration_since(self.began), now).map_or(Next::EndsAtLimit, Next::StartsAgain)
    }

    /// Waits before the next daemon. Meanwhile the supervisor is all that can be stopped.
    fn pause(&self, delay: Duration) {
        let end = Instant::now().checked_add(delay);
        while end.is_none_or(|end| Instant::now() < end) {
            self.wait(None, end);
            if let Some(signal) = STOPPING.into_iter().find(|&signal| self.signals.take(signal)) {
                self.leave(ExitStatus::from_raw(signal));
            }
        }
    }

    /// Where the system has no process or no descriptor left, it may have one later.
    fn fork_daemon(&mut self) -> Forked {
        let mut is_told = false;
        loop {
            match self.try_to_fork_daemon() {
                Ok(forked) => return forked,
                Err(error) if !is_told => {
                    // Its own text would be allocated.
                    let errno = Errno::try_from(error).unwrap_or(Errno::UnknownErrno);
                    self.say(libc::LOG_ERR, format_args!("cannot start the daemon again: {errno}"));
                }
                Err(_) => {}
            }
            is_told = true;
            self.pause(UNTIL_RETRY);
        }
    }

    fn try_to_fork_daemon(&mut self) -> io::Result<Forked> {
        if !self.remaining.notify {
            // They were for the one that has ended. The next one begins anew anyway, and nobody knows when it can take them.
            self.signals.forget_all_but(&STOPPING);
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
        (Remaining { is_respawned: true, ..self.remaining }, to_supervisor)
    }

    fn tell(&mut self, end: &End, next: Next) {
        let is_error = end.is_failure() && !matches!(next, Next::EndsAsAsked);
        let how = How { end, start_timeout: self.remaining.start_timeout };
        let (daemon, status) = (end.daemon, end.status);
        let Respawn { limit, period, .. } = self.supervision.respawn;
        let limit = limit.unwrap_or_default();
        let priority = if is_error { libc::LOG_ERR } else { libc::LOG_NOTICE };
        match next {
            Next::StartsAgain(delay) => self.say(
                priority,
                format_args!("process {daemon} {how}, {status}; the daemon is started again in {delay:?}"),
            ),
            Next::Ends => self.say(priority, format_args!("process {daemon} {how}, {status}")),
            Next::EndsAsAsked => {
                self.say(priority, format_args!("process {daemon} {how} as it was asked to, {status}"));
            }
            Next::EndsAtLimit => self.say(
                priority,
                format_args!(
                    "process {daemon} {how}, {status}; it is not started again: the limit is {limit} in {period:?}"
                ),
            ),
        }
    }

    /// One line in the system's log, and in the daemon's own where that is a file.
    fn say(&mut self, priority: c_int, text: fmt::Arguments<'_>) {
        let name = self.remaining.name.as_str();
        let short = name.char_indices().nth(syslog::NAME_LIMIT).map_or(name, |(end, _)| &name[..end]);
        let (facility, id) = (libc::LOG_DAEMON, process::id());
        syslog::send_line(Line::new(format_args!("<{}>{short}[{id}]: {text}", facility | priority), 0).bytes());
        if stderr_is_a_file() {
            self.write(&Line::new(format_args!("{name}: {text}"), b'\n'));
        }
    }

    /// Which file is at the path of the log by now, only the daemon may find out: with the rights that it has, and in its
    /// root directory. So another process writes the line.
    fn write(&mut self, line: &Line) {
        let supervisor = getpid();
        match sys::fork(self.thread) {
            Ok(ForkResult::Child) => self.write_as_daemon(line, supervisor),
            Ok(ForkResult::Parent { child: writer }) => self.await_writer(writer),
            Err(_) => write(line),
        }
    }

    fn write_as_daemon(&mut self, line: &Line, supervisor: Pid) -> ! {
        let Remaining { common, streams, .. } = &mut self.remaining;
        let is_as_daemon = common.apply_for_log(self.thread).is_ok();
        process_group::end_with(supervisor); // it has the pidfile locked, too
        if is_as_daemon {
            streams.watch_logs();
            streams.open_anew();
        }
        write(line);
        sys::exit_now(0)
    }

    fn await_writer(&self, writer: Pid) {
        let deadline = Instant::now() + UNTIL_WRITTEN;
        while let Ok(None) = sys::reap(writer) {
            if deadline <= Instant::now() {
                send(writer, &[libc::SIGKILL]); // its file system may not answer; it is reaped with the next daemon
                return;
            }
            self.wait(None, Some(deadline));
        }
    }

    /// Ends as the daemon did.
    fn leave(&self, status: ExitStatus) -> ! {
        self.remaining.common.remove_pidfile();
        if let Some(signal) = status.signal() {
            leave_no_core();
            sys::default_action(signal);
            let _ = sys::kill(getpid(), signal);
            let _ = SigSet::empty().thread_set_mask();
            sys::exit_now(128_u8.saturating_add(u8::try_from(signal).unwrap_or_default()));
        }
        sys::exit_now(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }
}

/// The daemon has left one, if any. A limit of 0 holds for a file alone, and not for a program that takes cores, core(5).
fn leave_no_core() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = prctl::set_dumpable(false);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
}

/// How the daemon ended, if it did. Other children are of no interest.
fn reap(daemon: Pid) -> Option<ExitStatus> {
    loop {
        match sys::reap(Pid::from_raw(-1)) {
            Ok(Some((child, status))) if child == daemon => return Some(status),
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(_) => return Some(ExitStatus::from_raw(libc::SIGKILL)), // there is none, however that came about
        }
    }
}

/// The first byte of a report is 0 where the daemon is ready.
fn is_ready(mut from_daemon: &UnixStream) -> bool {
    let mut status = [1];
    matches!(sys::uninterrupted(|| from_daemon.read(&mut status)), Ok(1)) && status == [0]
}

/// What is not said by now is too late.
fn was_last_word_ready(from_daemon: &UnixStream) -> bool {
    from_daemon.shutdown(Shutdown::Read).is_ok() && is_ready(from_daemon)
}

/// An error: it has ended already.
fn send(process: Pid, signals: &[c_int]) {
    for &signal in signals {
        let _ = sys::kill(process, signal);
    }
}

fn stderr_is_a_file() -> bool {
    sys::status_of(libc::STDERR_FILENO).is_ok_and(|status| sys::kind_of(&status) == SFlag::S_IFREG)
}

/// A disk that is full, or a limit on the size of files, costs the line and nothing else: SIGXFSZ is blocked.
fn write(line: &Line) {
    let _ = sys::write_at_once(StandardStream::Stderr, [line.bytes(), b""]);
}
