//! Logs that are opened anew, by SIGHUP and by a call.

use std::fs;

use nix::sys::signal::Signal;
use support::{Daemon, Stage, eventually};

const PROBE: &str = env!("CARGO_BIN_EXE_probe");

/// A daemon that reopens its logs, started with these options.
fn daemon(stage: &Stage, options: &[&str]) -> Daemon {
    stage.started(stage.command(PROBE).arg("--reopen-logs").args(options))
}

fn rename(stage: &Stage, from: &str, to: &str) {
    fs::rename(stage.path(from), stage.path(to)).expect("rename");
}

/// What a descriptor is open on now, by the name in the stage.
fn open_on(stage: &Stage, daemon: &Daemon, number: i32) -> Option<String> {
    let path = daemon.process.descriptor(number)?;
    Some(path.strip_prefix(stage.directory()).ok()?.to_str()?.to_owned())
}

fn hang_up(stage: &Stage, daemon: &Daemon, log: &str) {
    daemon.process.signal(Signal::SIGHUP);
    eventually("the new log", || (open_on(stage, daemon, 1)? == log).then_some(()));
}

#[test]
fn a_hang_up_opens_the_log_anew() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "log"]);
    daemon.ask("stdout one");
    rename(&stage, "log", "log.1");
    daemon.ask("stderr two");
    hang_up(&stage, &daemon, "log");
    daemon.ask("stdout three");
    daemon.ask("stderr four");
    assert_eq!((stage.read("log.1"), stage.read("log")), ("one\ntwo\n".into(), "three\nfour\n".into()));
}
