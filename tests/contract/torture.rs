//! Everything that may happen to a daemon, at random and at the same time. A round is one daemon's options and what happens
//! to it, both drawn from the seed. After each step, what runs is what the pidfile says, and what had to happen has.

mod actors;
mod expected;
mod lines;
mod plan;
mod state;

use std::{
    collections::BTreeSet,
    fmt,
    os::unix::fs::chown,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use daemon_rt::PidFile;
use nix::{
    sys::wait::{WaitPidFlag, waitpid},
    unistd::{Pid, geteuid},
};
use support::{Choices, DEADLINE, Process, Stage, eventually, needs_tools, number};

use self::{
    actors::Outcome,
    lines::Lines,
    plan::{Action, Options, Plan, Program},
    state::Held,
};
use crate::{CLIENT, PROBE};

const SEED: u64 = 0x5eed_2200_0000_2026;

/// `ROUNDS` of them, from `SEED` on.
#[test]
fn whatever_happens() {
    needs_tools!("prlimit");
    let (seed, rounds) = (number("SEED", SEED), number("ROUNDS", 12));
    println!("SEED={seed}, {rounds} rounds"); // shown when it fails
    let mut choices = Choices::new(seed);
    for _ in 0..rounds {
        let before = choices.seed();
        let plan = Plan::drawn(&mut choices);
        let round = Round::new(&plan.options);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| round.play(&plan))) {
            println!("SEED={before} ROUNDS=1\n{plan}\n{}", round.told());
            resume_unwind(panic);
        }
    }
}

/// A daemon's directory, and what has happened there so far.
struct Round<'plan> {
    stage: Stage,
    options: &'plan Options,
    program: PathBuf,
    pidfile: PidFile,
    begin: Instant,
    told: Mutex<Vec<String>>,
    /// Whoever was killed by a signal from here.
    victims: Mutex<BTreeSet<i32>>,
    /// Whoever was seen: the orphans among them are reaped in the end.
    seen: Mutex<BTreeSet<i32>>,
    /// How many logs were renamed.
    renamed: AtomicUsize,
}

impl<'plan> Round<'plan> {
    fn new(options: &'plan Options) -> Self {
        let stage = Stage::new();
        stage.open_to_all();
        let owner = if options.user { 65534 } else { geteuid().as_raw() };
        stage.create_directory("logs");
        chown(stage.path("logs"), Some(owner), None).expect("give it away");
        let program = stage.copy(if options.program == Program::Probe { PROBE } else { CLIENT });
        let pidfile = PidFile::new(stage.path("pid"));
        Self {
            stage,
            options,
            program,
            pidfile,
            begin: Instant::now(),
            told: Mutex::default(),
            victims: Mutex::default(),
            seen: Mutex::default(),
            renamed: AtomicUsize::new(0),
        }
    }

    fn play(&self, plan: &Plan) {
        let (mut held, mut launches) = (None, Vec::new());
        for step in &plan.steps {
            self.tell(format_args!("{step:?}, before: {held:?}"));
            let outcomes = self.perform(step, held);
            let after = self.settled();
            self.tell(format_args!("after: {after:?}"));
            self.check(step, held, &outcomes, after);
            launches.extend(outcomes.into_iter().filter_map(Outcome::into_launch));
            held = after;
        }
        self.end(held);
        let lines = Lines::read(self);
        lines.agree_with(&launches, &self.victims.lock().unwrap_or_else(PoisonError::into_inner));
        self.reap(&lines);
    }

    /// All actions of a step at the same time, while a client connects if none of them is a reason to refuse it.
    fn perform(&self, step: &[(Duration, Action)], held: Option<Held>) -> Vec<Outcome> {
        let is_over = AtomicBool::new(false);
        let survives = held.is_some() && step.iter().all(|(_, action)| self.options.survives(*action));
        thread::scope(|scope| {
            let client = survives.then(|| scope.spawn(|| self.connect_until(&is_over)));
            let actors: Vec<_> = step
                .iter()
                .map(|&(delay, action)| {
                    scope.spawn(move || {
                        thread::sleep(delay); // the moment is what is tested
                        let outcome = self.act(action, held);
                        self.tell(format_args!("{action:?}: {outcome:?}"));
                        outcome
                    })
                })
                .collect();
            let outcomes: Vec<_> = actors.into_iter().map(thread::ScopedJoinHandle::join).collect();
            is_over.store(true, Relaxed);
            let connected = client.map(|client| client.join().expect("a client"));
            assert_eq!(connected.unwrap_or(Ok(())), Ok(()), "it is never refused");
            outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|panic| resume_unwind(panic))).collect()
        })
    }

    /// Whoever runs refuses a second one and can be stopped, and nothing is left.
    fn end(&self, held: Option<Held>) {
        if held.is_some() {
            let second = self.act(Action::Start, held);
            self.check(&[(Duration::ZERO, Action::Start)], held, &[second], held);
        }
        self.pidfile.stop(DEADLINE).expect("a stop");
        eventually("the end of all", || self.stage.processes().is_empty().then_some(()));
        let name = self.program.file_name().and_then(|name| name.to_str()).expect("a name");
        let mut left = self.stage.files();
        left.retain(|left| ![name, "logs", "port", "trace"].contains(&left.as_str()));
        let may_be_stale = held.is_none() && self.pidfile.status().expect("a status") != daemon_rt::Status::Starting;
        assert!(left.is_empty() || may_be_stale && left == ["pid"], "left: {left:?}");
    }

    /// They became children of the test.
    fn reap(&self, lines: &Lines) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(lines.processes());
        for &process in seen.iter() {
            let _ = waitpid(Pid::from_raw(process), Some(WaitPidFlag::WNOHANG));
        }
    }

    fn processes(&self) -> Vec<Process> {
        let processes = self.stage.processes();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).extend(processes.iter().map(|process| process.0));
        processes
    }

    fn tell(&self, what: fmt::Arguments<'_>) {
        let line = format!("{:>9.3?} {what}", self.begin.elapsed());
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn told(&self) -> String {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}
