//! Whoever is killed, stopped or asked to end in the middle of an upgrade: there is one daemon with its supervisor, or none,
//! and what the pidfile says is true.

use std::{
    env, fs, thread,
    time::{Duration, Instant},
};

use daemon_rt::{PidFile, Status};
use nix::sys::signal::Signal;
use support::{Choices, DEADLINE, Process, Stage, eventually, number, within};

use super::{Service, content, supervisor};

const SEED: u64 = 0x5eed_20aa_0000_2026;

/// `ROUNDS` of them, from `SEED` on.
#[test]
fn there_is_one_or_none() {
    let (seed, rounds) = (number("SEED", SEED), number("ROUNDS", 20));
    let mut choices = Choices::new(seed);
    let usual = usual();
    let (mut upgraded, mut gone) = (0, 0);
    for round in 0..rounds {
        let before = choices.seed();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| attempt(&mut choices, usual)));
        match ended {
            Ok(End::Old) => {}
            Ok(End::New) => upgraded += 1,
            Ok(End::None) => gone += 1,
            Err(panic) => {
                println!("round {round}: SEED={before} ROUNDS=1");
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("SEED={seed}: {upgraded} of {rounds} were upgraded, {gone} ended");
    assert!(rounds < 20 || upgraded > 0 && gone > 0, "{upgraded} {gone} of {rounds}");
}

#[derive(Debug)]
enum End {
    Old,
    New,
    None,
}

const OPTIONS: [&str; 6] = ["--notify", "--ready", "--start-timeout", "3000", "--stop-timeout", "3000"];

/// How long an upgrade takes on this machine, of which each moment shall be hit.
fn usual() -> Duration {
    let service = Service::new();
    let _old = service.started(&OPTIONS);
    let start = Instant::now();
    drop(service.upgraded());
    start.elapsed()
}

fn attempt(choices: &mut Choices, usual: Duration) -> End {
    let service = Service::new();
    let stage = &service.stage;
    let old = service.started(&OPTIONS);
    let old_supervisor = supervisor(&old);
    old_supervisor.signal(Signal::SIGUSR2);
    for _ in 0..=choices.below(2) {
        let moment = u32::try_from(choices.below(1000)).expect("below");
        thread::sleep(usual * moment / 1000); // the moment is what is tested
        let there = stage.processes();
        if there.is_empty() {
            break;
        }
        let victim = choices.of(&there);
        let signal = choices.of(&[Signal::SIGKILL, Signal::SIGKILL, Signal::SIGTERM, Signal::SIGSTOP]);
        if env::var_os("ROUNDS").is_some() {
            let name =
                |process: Process| (process.0, process.stat(4), process == old.process, process == old_supervisor);
            println!(
                "{signal} to {:?} of {:?}",
                name(victim),
                there.iter().map(|&process| name(process)).collect::<Vec<_>>()
            );
        }
        victim.signal(signal);
        if signal == Signal::SIGSTOP {
            thread::sleep(Duration::from_micros(choices.below(100_000) as u64));
            victim.signal(Signal::SIGCONT);
        }
    }
    let settled = within(DEADLINE, || {
        let there = settled(stage);
        thread::sleep(Duration::from_millis(if there.is_some() { 50 } else { 20 }));
        let is_still = |there: &Vec<Asleep>| settled(stage).as_ref() == Some(there);
        Some(there.filter(is_still)?.into_iter().map(|asleep| asleep.process).collect::<Vec<_>>())
    });
    let log = || stage.read("log");
    let settled = settled.unwrap_or_else(|| panic!("left: {:?}, {:?}: {}", shown(stage), stage.read("pid"), log()));
    let status = PidFile::new(stage.path("pid")).status().expect("a status");
    let [supervisor, daemon] = settled[..] else {
        assert!(matches!(status, Status::Stopped | Status::Stale), "{status:?}");
        // Whatever it left behind keeps nobody from a start.
        drop(service.started(&[]));
        return End::None;
    };
    assert_eq!(stage.read("pid"), content(supervisor), "{}", log());
    let expected = Some(daemon.0.cast_unsigned());
    assert!(
        matches!(status, Status::Running { pid, daemon, .. } if pid == supervisor.0.cast_unsigned() && daemon == expected),
        "{status:?} {settled:?} {}",
        log()
    );
    let second = stage.launch(&mut service.command(&[]));
    let said = || {
        let settled = settled.iter().map(|process| (process.0, process.stat(3), process.stat(4))).collect::<Vec<_>>();
        format!("{second:?} {settled:?} {:?} {:?} {}", shown(stage), stage.read("pid"), log())
    };
    assert!(second.stderr.contains("already running as process"), "{}", said());
    service.pidfile().stop(DEADLINE).expect("a stop");
    eventually("the end of all", || stage.processes().is_empty().then_some(()));
    assert!(!fs::exists(stage.path("pid")).expect("look"));
    if supervisor == old_supervisor { End::Old } else { End::New }
}

/// A supervisor and its daemon, or nobody.
fn settled(stage: &Stage) -> Option<Vec<Asleep>> {
    let parent = |process: Process| process.stat(4)?.parse().ok().map(Process);
    let settled = match stage.processes()[..] {
        [] => vec![],
        [one, other] if parent(other) == Some(one) => vec![one, other],
        [one, other] if parent(one) == Some(other) => vec![other, one],
        _ => return None,
    };
    settled.into_iter().map(Asleep::look).collect()
}

/// One that waits. Two who are about to end may look like two who stay, if the machine is busy; but between two looks at
/// those who stay, neither runs.
#[derive(PartialEq)]
struct Asleep {
    process: Process,
    /// How often it has run.
    runs: [String; 2],
}

impl Asleep {
    fn look(process: Process) -> Option<Self> {
        let runs = ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"].map(|key| process.status(key));
        let [Some(voluntary), Some(involuntary)] = runs else { return None };
        let is_asleep = process.stat(3).as_deref() == Some("S");
        is_asleep.then_some(Self { process, runs: [voluntary, involuntary] })
    }
}

fn shown(stage: &Stage) -> Vec<String> {
    let show = |process: Process| {
        let read = |name| fs::read_to_string(format!("/proc/{}/{name}", process.0)).unwrap_or_default();
        format!("{} {:?} {:?} {}", process.0, process.stat(3), process.stat(4), read("wchan"))
    };
    stage.processes().into_iter().map(show).collect()
}
