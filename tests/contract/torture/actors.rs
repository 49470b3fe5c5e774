//! What each actor does, with processes, signals and files.

use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    process::Command,
    sync::{
        PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use daemon_rt::{Status, Stopped};
use nix::sys::{
    resource::{Resource, getrlimit},
    signal::Signal,
};
use support::{DEADLINE, Launch, Process, within};

use super::{
    Round,
    plan::{Action, By, Crash, Fault, Program, Stop, Version},
    state::Held,
};
use crate::{CLIENT, PROBE};

/// What came of an action.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Of a program that starts a daemon.
    Started(i32, Launch),
    /// Of one that asks something of a daemon.
    Said(i32, Launch),
    Stopped(Result<Stopped, String>),
    Upgraded(Result<(), String>),
    Reloaded(Result<(), String>),
    Seen(Vec<Result<Status, String>>),
    Done,
}

impl Outcome {
    pub(super) fn into_launch(self) -> Option<(i32, Launch)> {
        match self {
            Self::Started(process, launch) => Some((process, launch)),
            _ => None,
        }
    }
}

/// How long an actor waits for what need not happen while others act.
const A_WHILE: Duration = Duration::from_secs(5);

/// Less than a daemon takes that has a request to answer.
const IMPATIENCE: Duration = Duration::from_millis(400);

impl Round<'_> {
    pub(super) fn act(&self, action: Action, held: Option<Held>) -> Outcome {
        match action {
            Action::Start => self.start("", &[], &[]),
            Action::Restart => self.start("", &["--obey", "restart"], &[]),
            Action::FailToStart(Fault::Setup) => self.start("", &[], &["--fail", "no luck"]),
            Action::FailToStart(Fault::Main) => self.start("", &[], &["--end-in-main"]),
            Action::FailToStart(Fault::Disk) => self.start("", &[], &["--without-a-byte"]),
            Action::FailToStart(Fault::Descriptors(number)) => self.start(&format!("ulimit -n {number};"), &[], &[]),
            Action::Stop(stop) => self.stop(stop, held),
            Action::Reload { by } => self.reload(by),
            Action::Rotate => {
                for _ in 0..3 {
                    let _ = self.ask("/rotate");
                }
                Outcome::Done
            }
            Action::Crash(crash) => {
                if let Some(Held { daemon, .. }) = held {
                    self.crash(crash, daemon);
                }
                Outcome::Done
            }
            Action::Upgrade { version, by } => self.upgrade(version, by),
            Action::Kill { index, signal } => {
                if let Some(victim) = self.one_of_all(index) {
                    self.victims.lock().unwrap_or_else(PoisonError::into_inner).insert(victim.0);
                    self.signal(victim, signal);
                    within(A_WHILE, || (!victim.is_alive()).then_some(()));
                }
                Outcome::Done
            }
            Action::Freeze { index, time } => {
                if let Some(victim) = self.one_of_all(index) {
                    self.signal(victim, Signal::SIGSTOP);
                    thread::sleep(time);
                    self.signal(victim, Signal::SIGCONT);
                }
                Outcome::Done
            }
            Action::Limit => {
                if let Some(Held { holder, .. }) = held {
                    self.limit(holder);
                }
                Outcome::Done
            }
            Action::Look => {
                let look = |_| {
                    thread::sleep(Duration::from_millis(2));
                    self.pidfile.status().map_err(|error| text(&error))
                };
                let mut seen: Vec<_> = (0..20).map(look).collect();
                seen.dedup();
                Outcome::Seen(seen)
            }
        }
    }

    /// Behind that line of the shell, with these options before and behind the words of `setup`.
    fn start(&self, line: &str, before: &[&str], behind: &[&str]) -> Outcome {
        let mut command = self.stage.command("sh");
        command.args(["-c", &format!("{line} exec \"$@\""), "sh"]).arg(&self.program).args(self.options.words());
        let (process, launch) = self.launch(command.args(before).args(self.options.words_of_setup()).args(behind));
        Outcome::Started(process, launch)
    }

    fn launch(&self, command: &mut Command) -> (i32, Launch) {
        let launcher = self.stage.start(command);
        let process = launcher.process.0;
        (process, launcher.end_within(3 * DEADLINE).expect("it ends"))
    }

    /// By a program that has nothing to do with the one that runs.
    fn say(&self, word: &str) -> Outcome {
        let mut command = self.stage.command(PROBE);
        let timeout: &[_] = if self.options.stop_timeout { &["--stop-timeout", "300"] } else { &[] };
        let (process, launch) = self.launch(command.args(["--pidfile", "pid"]).args(timeout).args(["--obey", word]));
        Outcome::Said(process, launch)
    }

    fn stop(&self, stop: Stop, held: Option<Held>) -> Outcome {
        let by_call = |time| Outcome::Stopped(self.pidfile.stop(time).map_err(|error| text(&error)));
        match stop {
            Stop::Plain(By::Call) => by_call(DEADLINE),
            Stop::Plain(By::Word) => self.say("stop"),
            Stop::Plain(By::Signal) => self.stop_by(Signal::SIGTERM),
            Stop::Interrupt => self.stop_by(Signal::SIGINT),
            Stop::WithRequest => {
                let _request = self.begin_request();
                let ends_by_itself = !self.options.graceful || self.options.stop_timeout;
                by_call(if ends_by_itself { DEADLINE } else { IMPATIENCE })
            }
            Stop::Frozen => {
                let Some(Held { holder, daemon }) = held else { return by_call(DEADLINE) };
                let _request = self.begin_request(); // it cannot end before the first SIGSTOP
                let is_over = AtomicBool::new(false);
                thread::scope(|scope| {
                    scope.spawn(|| {
                        while !is_over.load(Relaxed) {
                            daemon.signal(Signal::SIGSTOP); // at once behind each signal to continue
                        }
                        daemon.signal(Signal::SIGCONT);
                    });
                    let outcome = if self.options.stop_timeout && holder != daemon {
                        self.stop_by(Signal::SIGTERM)
                    } else {
                        by_call(IMPATIENCE)
                    };
                    is_over.store(true, Relaxed);
                    outcome
                })
            }
        }
    }

    /// As `kill $(cat pid)` does, and a script that then waits.
    fn stop_by(&self, signal: Signal) -> Outcome {
        if let Some(holder) = self.named() {
            self.signal(holder, signal);
            if within(DEADLINE, || (!holder.is_alive()).then_some(())).is_none() {
                return Outcome::Stopped(Err(format!("process {} does not end", holder.0)));
            }
        }
        Outcome::Done
    }

    /// The process that the pidfile names, if it was started here.
    fn named(&self) -> Option<Process> {
        let named = self.stage.read("pid").trim().parse().ok().map(Process)?;
        self.processes().contains(&named).then_some(named)
    }

    fn reload(&self, by: By) -> Outcome {
        if self.options.reopen_logs && !self.options.rotate {
            let number = self.renamed.fetch_add(1, Relaxed);
            let _ = fs::rename(self.stage.path("logs/log"), self.stage.path(&format!("logs/old.{number}")));
        }
        match by {
            By::Word => self.say("reload"),
            _ => Outcome::Reloaded(self.pidfile.reload().map_err(|error| text(&error))),
        }
    }

    fn crash(&self, crash: Crash, daemon: Process) {
        match crash {
            Crash::Fault => _ = self.ask("/crash"),
            Crash::Exit => _ = self.ask("/exit"),
            Crash::Kill => self.signal(daemon, Signal::SIGKILL),
        }
        within(A_WHILE, || (!daemon.is_alive()).then_some(()));
    }

    fn upgrade(&self, version: Version, by: By) -> Outcome {
        self.install(version);
        let outcome = match by {
            By::Call => Outcome::Upgraded(self.pidfile.upgrade(DEADLINE).map_err(|error| text(&error))),
            By::Word => self.say("upgrade"),
            By::Signal => {
                if let Some(holder) = self.named() {
                    let before = self.upgrades_told();
                    self.signal(holder, Signal::SIGUSR2);
                    within(A_WHILE, || (self.upgrades_told() > before || !holder.is_alive()).then_some(()));
                }
                Outcome::Done
            }
        };
        if version != Version::Good {
            self.install(Version::Good);
        }
        outcome
    }

    /// How many of them the supervisors said the end of.
    fn upgrades_told(&self) -> usize {
        let log = self.log();
        log.matches(" has taken over\n").count() + log.matches(": cannot upgrade: ").count()
    }

    /// Renames a file to the path of the program. It is another process that writes it: what this one has open to write,
    /// whatever another thread forks meanwhile has, too.
    fn install(&self, version: Version) {
        let built = if self.options.program == Program::Probe { PROBE } else { CLIENT };
        let new = self.stage.path(&format!("new.{}", self.renamed.fetch_add(1, Relaxed)));
        let (text, mode) = match version {
            Version::Good => (String::new(), "755"),
            Version::Bad => ("#!/bin/sh\necho no luck >&2\nexit 3\n".to_owned(), "755"),
            Version::BadSetup => (format!("#!/bin/sh\nexec {built} \"$@\" --fail 'no luck'\n"), "755"),
            Version::BadMain => (format!("#!/bin/sh\nexec {built} \"$@\" --end-in-main\n"), "755"),
            Version::NotExecutable => ("no program".to_owned(), "644"),
        };
        let script = "if [ \"$1\" ]; then printf %s \"$1\" >\"$3\"; else cp \"$2\" \"$3\"; fi && chmod \"$4\" \"$3\" && mv \"$3\" \"$5\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh", &text, built]).arg(&new).arg(mode).arg(&self.program);
        assert!(shell.status().expect("start a shell").success());
    }

    /// It has no descriptor left for some time. What it starts meanwhile gets them back, too.
    fn limit(&self, holder: Process) {
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
        let set = |process: Process, soft| {
            let mut prlimit = Command::new("prlimit");
            prlimit.args(["--pid", &process.0.to_string(), &format!("--nofile={soft}:")]);
            let _ = prlimit.stderr(std::process::Stdio::null()).status(); // it may have ended
        };
        set(holder, 4);
        thread::sleep(Duration::from_millis(60));
        set(holder, soft);
        for process in self.processes() {
            set(process, soft);
        }
    }

    fn one_of_all(&self, index: usize) -> Option<Process> {
        let all = self.processes();
        (!all.is_empty()).then(|| all[index % all.len()])
    }

    fn signal(&self, process: Process, signal: Signal) {
        let what = (process.name(), process.stat(3), process.stat(4));
        process.signal(signal);
        self.tell(format_args!("{signal} to {} {what:?}", process.0));
    }

    fn connect(&self) -> io::Result<TcpStream> {
        fs::metadata(self.stage.path("port"))?;
        let port = within(A_WHILE, || self.stage.read("port").parse::<u16>().ok()); // it may be about to be written
        let connection = TcpStream::connect(("127.0.0.1", port.ok_or(io::ErrorKind::InvalidData)?))?;
        connection.set_read_timeout(Some(A_WHILE))?;
        Ok(connection)
    }

    /// What the answer to a request ends with.
    pub(super) fn ask(&self, path: &str) -> io::Result<String> {
        let mut connection = self.connect()?;
        write!(connection, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer.lines().last().unwrap_or_default().to_owned())
    }

    /// One that is accepted, if that can be, and has no end.
    fn begin_request(&self) -> Option<TcpStream> {
        let mut connection = self.connect().ok()?;
        write!(connection, "GET / HTTP/1.1\r\n").ok()?;
        if self.options.graceful {
            let _ = self.ask("/"); // it was accepted behind the other one
        }
        Some(connection)
    }

    /// Fails if one is refused.
    pub(super) fn connect_until(&self, is_over: &AtomicBool) -> Result<(), String> {
        while !is_over.load(Relaxed) {
            match self.connect() {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(error.to_string()),
                _ => thread::sleep(Duration::from_millis(2)),
            }
        }
        Ok(())
    }
}

fn text(error: &daemon_rt::Error) -> String {
    format!("{error:#}")
}
