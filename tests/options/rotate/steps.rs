//! What comes between the steps of a rotation.

use std::process::Command;

use support::{Daemon, Process, Stage, eventually};

use super::{line, probe, words};
use crate::preload;

/// A daemon of which a thread waits, from when there is a file `wait`, before it puts a new log in place, until there is a
/// file `go`.
fn daemon(stage: &Stage, limit: &str) -> Option<Daemon> {
    let library = preload::library("DUP2_WAITS")?;
    let mut command: Command = probe(stage, &["--stdout", &format!("rotate:{limit}:log")]);
    command.env("LD_PRELOAD", library).env("WAIT", stage.path("wait")).env("GO", stage.path("go"));
    let mut daemon = stage.started(&mut command);
    assert_eq!(daemon.ask("rotate"), "");
    drop(stage.create("wait"));
    Some(daemon)
}

fn await_late_thread(stage: &Stage) {
    eventually("a thread with an open log", || (!stage.path("wait").exists()).then_some(()));
}

#[test]
fn a_line_between_the_rename_and_the_new_file_is_in_the_old_one() {
    for (keep, old) in [(1, "one two"), (0, "")] {
        let stage = Stage::new();
        let Some(mut daemon) = daemon(&stage, &format!("50,{keep}")) else { return };
        daemon.ask(&format!("stdout {}", line("one")));
        assert_eq!(daemon.ask("begin-to-rotate"), "");
        await_late_thread(&stage);
        assert_eq!(daemon.process.descriptor(1), Some(stage.path("log.1")));
        daemon.ask("stdout two");
        assert_eq!(words(&stage, &["log.1", "log"]), ["one two", ""]);
        drop(stage.create("go"));
        eventually("the new log", || (daemon.process.descriptor(1)? == stage.path("log")).then_some(()));
        daemon.ask("stdout three");
        daemon.ask("end-lines");
        assert_eq!(daemon.ask("rotate"), "");
        assert_eq!(words(&stage, &["log.1", "log"]), [old, "three"]);
    }
}

/// Whoever opened the log before it was renamed would put it in place last.
#[test]
fn it_waits_for_whoever_opens_the_log_anew() {
    let stage = Stage::new();
    let Some(mut daemon) = daemon(&stage, "50,1") else { return };
    daemon.ask(&format!("stdout {}", line("one")));
    assert_eq!(daemon.ask("begin-to-reopen"), "");
    await_late_thread(&stage);
    daemon.send("rotate");
    await_another_look(daemon.process);
    assert_eq!(stage.files(), ["log"]);
    drop(stage.create("go"));
    assert_eq!(daemon.answer(), "");
    daemon.ask("stdout two");
    assert_eq!(words(&stage, &["log.1", "log"]), ["one", "two"]);
}

/// Who looks again and again sleeps in between.
fn await_another_look(process: Process) {
    let sleeps = || process.status("voluntary_ctxt_switches")?.parse::<u64>().ok();
    let before = sleeps().expect("a number");
    eventually("some looks", || (sleeps()? > before + 3).then_some(()));
}
