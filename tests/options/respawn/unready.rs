//! A later daemon that can never be ready any more, or only while it stops.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use support::{Daemon, Process, Stage, eventually};

use super::{both_end, probe, supervisor};

/// The second daemon, which is not ready yet.
fn second(stage: &Stage, options: &[&str]) -> Daemon {
    let launcher = stage.start(&mut probe(stage, &[&["--notify"], options].concat()));
    let mut first = stage.daemon();
    assert_eq!(first.ask("ready"), "");
    assert_eq!(launcher.end().status, 0);
    first.send("crash");
    stage.daemon()
}

/// The same with its supervisor. It notes SIGTERM, and goes on.
fn second_that_goes_on(stage: &Stage, options: &[&str]) -> (Daemon, Process) {
    let mut daemon = second(stage, options);
    assert_eq!(daemon.ask("listen sigaction SIGTERM"), "");
    let supervisor = supervisor(&daemon);
    (daemon, supervisor)
}

fn has_heard(daemon: &mut Daemon) {
    eventually("the request", || (daemon.ask("heard") == "1").then_some(()));
}

/// Another program in its place cannot be ready for it.
#[test]
fn one_that_executes_another_program_gets_time_to_end() {
    let stage = Stage::new();
    let mut daemon = second(&stage, &[]);
    daemon.send("exec-shell sleep 0.5; exit 7");
    let _next = stage.daemon();
    let line = format!("process {} ended before it was ready, exit status: 7; ", daemon.process.0);
    assert!(stage.read("log").contains(&line), "{}", stage.read("log"));
}

#[test]
fn one_that_goes_on_in_another_program_is_ended() {
    let stage = Stage::new();
    let mut daemon = second(&stage, &[]);
    let start = Instant::now();
    daemon.send("exec");
    let _next = stage.daemon();
    assert!(start.elapsed() > Duration::from_secs(4), "{:?}", start.elapsed());
    let line = format!("process {} ended before it was ready, signal: 15 (SIGTERM); ", daemon.process.0);
    assert!(stage.read("log").contains(&line), "{}", stage.read("log"));
}

#[test]
fn one_that_gets_ready_while_it_stops_has_no_longer_than_others() {
    let stage = Stage::new();
    let (mut daemon, supervisor) = second_that_goes_on(&stage, &["--stop-timeout", "1500"]);
    let start = Instant::now();
    supervisor.signal(Signal::SIGTERM);
    has_heard(&mut daemon);
    assert_eq!(daemon.ask("ready"), "");
    both_end(&daemon, supervisor);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(stage.read("log").contains(", signal: 9 (SIGKILL)"), "{}", stage.read("log"));
}

/// It had five seconds left, and a request to stop gives it no more.
#[test]
fn one_that_was_late_gets_no_more_time_when_it_is_stopped() {
    let stage = Stage::new();
    let (mut daemon, supervisor) = second_that_goes_on(&stage, &["--start-timeout", "2000"]);
    has_heard(&mut daemon);
    supervisor.signal(Signal::SIGTERM);
    both_end(&daemon, supervisor);
}

/// Five seconds are for one that fails, and not for one that is asked to stop.
#[test]
fn one_that_executes_another_program_while_it_stops_has_as_long_as_others() {
    let stage = Stage::new();
    let (mut daemon, supervisor) = second_that_goes_on(&stage, &["--stop-timeout", "60000"]);
    supervisor.signal(Signal::SIGTERM);
    has_heard(&mut daemon);
    daemon.send(&format!("exec-shell sleep 6; echo over >{}", stage.path("over").display()));
    both_end(&daemon, supervisor);
    assert_eq!(stage.read("over"), "over\n");
}

/// The byte of a report that it failed.
#[test]
fn one_that_says_something_else_is_not_ready() {
    let stage = Stage::new();
    let mut daemon = second(&stage, &[]);
    assert_eq!(daemon.ask("to-leader 1 1"), "");
    daemon.send("exit 0");
    let _next = stage.daemon();
    let line = format!("process {} ended before it was ready, exit status: 0; ", daemon.process.0);
    assert!(stage.read("log").contains(&line), "{}", stage.read("log"));
}
