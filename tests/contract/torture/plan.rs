//! What is drawn from the seed: the options of a daemon, and what happens to it in which order.

use std::{fmt, time::Duration};

use nix::sys::signal::Signal;
use support::{Choices, is_root};

/// How the program becomes a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// By the attribute.
    Probe,
    /// By `start`, in the middle of a function.
    Start,
    /// By `spawn`.
    Spawn,
}

#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(super) struct Options {
    pub(super) program: Program,
    pub(super) respawn: bool,
    pub(super) notify: bool,
    /// Whether it finishes its requests when it is asked to stop.
    pub(super) graceful: bool,
    pub(super) stop_timeout: bool,
    pub(super) user: bool,
    pub(super) chroot: bool,
    pub(super) rotate: bool,
    pub(super) reopen_logs: bool,
}

/// What one actor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Start,
    FailToStart(Fault),
    Restart,
    Stop(Stop),
    /// Renames the log before.
    Reload {
        by: By,
    },
    Rotate,
    Crash(Crash),
    Upgrade {
        version: Version,
        by: By,
    },
    /// A signal to one of those who are there.
    Kill {
        index: usize,
        signal: Signal,
    },
    /// SIGSTOP, and SIGCONT after that time.
    Freeze {
        index: usize,
        time: Duration,
    },
    /// Takes descriptors away from the holder of the pidfile, for some time.
    Limit,
    Look,
}

/// By a call, by the word of a command line, or by a signal from a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Call,
    Word,
    Signal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Plain(By),
    Interrupt,
    /// A request that is never finished keeps it.
    WithRequest,
    /// SIGSTOP comes to the daemon all the time.
    Frozen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Setup,
    /// Before it is ready.
    Main,
    /// There is room for nothing.
    Disk,
    Descriptors(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crash {
    Fault,
    Exit,
    Kill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Good,
    /// Says why, and ends.
    Bad,
    BadSetup,
    BadMain,
    NotExecutable,
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) options: Options,
    pub(super) steps: Vec<Vec<(Duration, Action)>>,
}

impl Plan {
    pub(super) fn drawn(choices: &mut Choices) -> Self {
        let options = Options::drawn(choices);
        let mut steps: Vec<Vec<_>> = Vec::new();
        for _ in 0..5 + choices.below(6) {
            let is_likely_gone = steps.last().is_none_or(|step| step.iter().any(|(_, action)| options.ends(*action)));
            let count = choices.of(&[1, 1, 1, 2, 2, 2, 3, 3]);
            let mut step: Vec<_> = (0..count)
                .map(|_| {
                    let delay = Duration::from_micros(choices.below(choices_of_delay(count)) as u64);
                    (delay, options.drawn_action(choices))
                })
                .collect();
            if is_likely_gone && choices.percent(75) {
                step[0].1 = Action::Start;
            }
            steps.push(step);
        }
        Self { options, steps }
    }
}

/// In microseconds: one alone has nobody to wait for.
fn choices_of_delay(count: usize) -> usize {
    if count == 1 { 1 } else { 40_000 }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.options)?;
        self.steps.iter().try_for_each(|step| write!(formatter, "\n  {step:?}"))
    }
}

impl Options {
    fn drawn(choices: &mut Choices) -> Self {
        let program = choices.of(&[Program::Probe, Program::Probe, Program::Start, Program::Spawn]);
        let respawn = choices.percent(70);
        let mut percent = |times| choices.percent(times);
        Self {
            program,
            respawn,
            notify: percent(60),
            graceful: percent(60),
            stop_timeout: percent(50),
            user: percent(30) && is_root(),
            chroot: percent(25) && is_root(),
            rotate: percent(50),
            reopen_logs: percent(50),
        }
    }

    pub(super) fn words(&self) -> Vec<&'static str> {
        let mut words = match self.program {
            Program::Probe => Vec::new(),
            Program::Start => vec!["exit"],
            Program::Spawn => vec!["spawn"],
        };
        words.extend(["--pidfile", "pid", "--start-timeout", "15000", "--stdout"]);
        words.push(if self.rotate { "rotate:4000,100000:logs/log" } else { "logs/log" });
        let options: [(bool, &[_]); 6] = [
            (self.respawn, &["--respawn", "on-failure,100000,60000,1,20"]),
            (self.notify, &["--notify"]),
            (self.stop_timeout, &["--stop-timeout", "300"]),
            (self.user, &["--user", "nobody"]),
            (self.chroot, &["--chroot", "."]),
            (self.reopen_logs, &["--reopen-logs"]),
        ];
        words.extend(options.into_iter().filter(|(is_set, _)| *is_set).flat_map(|(_, words)| words));
        words
    }

    /// What `setup` does: it binds the socket once nobody else can.
    pub(super) fn words_of_setup(&self) -> [&'static str; 4] {
        ["--lock", if self.graceful { "--serve-gracefully" } else { "--serve" }, "port", "--write-lines"]
    }

    /// Whether a running daemon serves on, or another in its place.
    pub(super) fn survives(&self, action: Action) -> bool {
        match action {
            Action::Start
            | Action::FailToStart(_)
            | Action::Reload { .. }
            | Action::Rotate
            | Action::Upgrade { .. }
            | Action::Freeze { .. }
            | Action::Limit
            | Action::Look => true,
            Action::Crash(_) => self.respawn,
            Action::Restart | Action::Stop(_) | Action::Kill { .. } => false,
        }
    }

    fn ends(&self, action: Action) -> bool {
        !self.survives(action) && action != Action::Restart
    }

    pub(super) fn can_be_upgraded(&self) -> bool {
        self.respawn && self.program != Program::Spawn
    }

    fn drawn_action(&self, choices: &mut Choices) -> Action {
        let by = choices.of(&[By::Call, By::Call, By::Word, By::Signal]);
        let index = choices.below(1000);
        match choices.below(100) {
            0..14 => Action::Start,
            14..20 => Action::FailToStart(match choices.below(4) {
                0 if self.notify => Fault::Main,
                1 => Fault::Disk,
                2 => Fault::Descriptors(4 + choices.below(5)),
                _ => Fault::Setup,
            }),
            20..26 => Action::Restart,
            26..40 => Action::Stop(match choices.below(8) {
                0 => Stop::WithRequest,
                1 | 2 => Stop::Frozen,
                3 => Stop::Interrupt,
                _ => Stop::Plain(by),
            }),
            40..46 => Action::Reload { by: if by == By::Signal { By::Call } else { by } },
            46..51 => Action::Rotate,
            51..63 => Action::Crash(choices.of(&[Crash::Fault, Crash::Exit, Crash::Kill])),
            63..80 => Action::Upgrade {
                version: choices.of(&[
                    Version::Good,
                    Version::Good,
                    Version::Good,
                    Version::Good,
                    Version::Bad,
                    Version::BadSetup,
                    if self.notify { Version::BadMain } else { Version::Bad },
                    Version::NotExecutable,
                ]),
                // Without a supervisor, the signal would end the daemon.
                by: if by == By::Signal && !self.can_be_upgraded() { By::Call } else { by },
            },
            80..88 => Action::Kill {
                index,
                signal: choices.of(&[
                    Signal::SIGKILL,
                    Signal::SIGKILL,
                    Signal::SIGKILL,
                    Signal::SIGTERM,
                    Signal::SIGINT,
                ]),
            },
            88..94 => Action::Freeze { index, time: Duration::from_millis(1 + choices.below(80) as u64) },
            // A daemon that does not wait for a descriptor would end with it.
            94..97 if self.respawn && self.graceful => Action::Limit,
            _ => Action::Look,
        }
    }
}
