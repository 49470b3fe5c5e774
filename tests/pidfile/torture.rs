//! Starts, stops, kills and unlinks at random: never two daemons on one path, never a launcher that says 0 without one.

use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use daemon_rt::{PidFile, Status, Stopped};
use nix::sys::signal::Signal;
use support::{Choices, Daemon, Stage, eventually};

use crate::{CLIENT, PROBE};

const ROUNDS: usize = 200;
const SEED: u64 = 0x5eed_da3e_0421_2026;

#[test]
fn never_two_daemons_and_never_a_false_promise() {
    println!("seed {SEED:#x}, {ROUNDS} rounds"); // shown when it fails
    let stage = Stage::new();
    let pidfile = PidFile::new(stage.path("pid"));
    let mut choices = Choices::new(SEED);
    let mut running: Option<Daemon> = None; // on the path
    let mut unlinked: Vec<Daemon> = Vec::new(); // those whose file was taken away
    for round in 0..ROUNDS {
        match choices.below(8) {
            0..4 => {
                let count = 1 + choices.below(6);
                let good = start(&stage, count);
                assert_eq!(good, usize::from(running.is_none()), "round {round}: {good} of {count} starts succeeded");
                running = running.or_else(|| Some(stage.daemon()));
                assert!(stage.no_daemon_reported(), "round {round}: more daemons than launchers that said 0");
            }
            4 => {
                let expected = if running.is_some() { Stopped::Terminated } else { Stopped::NotRunning };
                assert_eq!(pidfile.stop(Duration::from_secs(10)).expect("a stop"), expected, "round {round}");
                running.take().inspect(|daemon| _ = daemon.wait());
            }
            5 => {
                if let Some(daemon) = running.take() {
                    daemon.process.signal(Signal::SIGKILL);
                    daemon.wait();
                }
            }
            6 => {
                if let Some(mut daemon) = running.take() {
                    daemon.send("exit 0");
                    daemon.wait();
                }
            }
            _ => {
                let _ = fs::remove_file(stage.path("pid"));
                unlinked.extend(running.take());
            }
        }
        check(round, &stage, &pidfile, running.as_ref(), &unlinked);
    }
}

/// Somebody looks all the time while a daemon starts and ends in every way: what they see is right, and in order.
#[test]
fn status_is_right_at_every_moment() {
    let stage = Stage::new();
    let pidfile = PidFile::new(stage.path("pid"));
    let seen = Mutex::new(vec![Status::Stopped]);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let mut seen = seen.lock().expect("what the others saw"); // one look at a time, to have an order
                    let status = pidfile.status().expect("a status");
                    if seen.last() != Some(&status) {
                        seen.push(status);
                    }
                }
            });
        }
        let _over = OnDrop(|| over.store(true, Ordering::Relaxed));
        let see = |what: &str, is: fn(&Status) -> bool| {
            eventually(what, || seen.lock().expect("what was seen").last().is_some_and(is).then_some(()));
        };
        for round in 0..ROUNDS {
            assert_eq!(start(&stage, 1 + round % 3), 1);
            let mut daemon = stage.daemon();
            see("it runs", |status| matches!(status, Status::Running { .. }));
            match round % 3 {
                0 => assert_eq!(pidfile.stop(Duration::from_secs(10)).expect("a stop"), Stopped::Terminated),
                1 => daemon.process.signal(Signal::SIGKILL),
                _ => daemon.send("exit 0"),
            }
            daemon.wait();
            see("it does not run", |status| matches!(status, Status::Stale | Status::Stopped));
        }
    });
    let seen = seen.into_inner().expect("what was seen");
    for pair in seen.windows(2) {
        let is_right = match pair {
            [Status::Stopped | Status::Stale, next] => *next != Status::Stale,
            [Status::Starting, next] => matches!(next, Status::Running { .. }),
            [Status::Running { .. }, next] => matches!(next, Status::Stopped | Status::Stale),
            _ => false,
        };
        assert!(is_right, "{pair:?}");
    }
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// Starts that many at once, and counts those that said that a daemon runs.
fn start(stage: &Stage, count: usize) -> usize {
    thread::scope(|scope| {
        let ways: [&[_]; 3] = [&[PROBE], &[CLIENT, "start"], &[CLIENT, "spawn"]];
        let start = |way: &[_]| stage.launch(stage.command(way[0]).args(&way[1..]).args(["--pidfile", "pid"]));
        let ways = ways.into_iter().cycle().take(count);
        let starts: Vec<_> = ways.map(|way| scope.spawn(move || start(way))).collect();
        let launches = starts.into_iter().map(|start| start.join().expect("a launch"));
        launches.filter(|launch| launch.status == 0).count()
    })
}

fn check(round: usize, stage: &Stage, pidfile: &PidFile, running: Option<&Daemon>, unlinked: &[Daemon]) {
    let status = pidfile.status().expect("a status");
    match running {
        Some(daemon) => {
            let process = daemon.process.0.unsigned_abs();
            assert!(matches!(status, Status::Running { pid, .. } if pid == process), "round {round}: {status:?}");
        }
        None => assert!(matches!(status, Status::Stale | Status::Stopped), "round {round}: {status:?}"),
    }
    let mut expected: Vec<_> = unlinked.iter().chain(running).map(|daemon| daemon.process.0).collect();
    let mut found: Vec<_> = stage.processes().iter().map(|process| process.0).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected, "round {round}");
}
