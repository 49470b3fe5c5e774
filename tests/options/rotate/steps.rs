//! What comes between the steps of a rotation.

use std::{fs, os::unix::fs::symlink, process::Command};

use nix::{
    sys::{
        ptrace,
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};
use support::{Daemon, Process, Stage, eventually, needs_root};

use super::{fill, line, probe, words};
use crate::preload;

/// A daemon with a thread that puts a new log in place. Once the file `wait` exists, the thread first waits for the
/// file `go`.
fn daemon(stage: &Stage, limit: &str) -> Option<Daemon> {
    late_daemon(stage, "DUP2_WAITS", "", limit)
}

/// The same, or one that waits before it gives a file the name `step`.
fn late_daemon(stage: &Stage, lie: &str, step: &str, limit: &str) -> Option<Daemon> {
    let library = preload::library(lie)?;
    let mut command: Command = probe(stage, &["--stdout", &format!("rotate:{limit}:log")]);
    command.env("LD_PRELOAD", library).env("WAIT", stage.path("wait")).env("GO", stage.path("go")).env("STEP", step);
    let mut daemon = stage.started(&mut command);
    assert_eq!(daemon.ask("rotate"), "");
    drop(stage.create("wait"));
    Some(daemon)
}

fn await_late_thread(stage: &Stage) {
    eventually("a thread on its way", || (!stage.path("wait").exists()).then_some(()));
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

/// A thread that opened the log before it was renamed would put it in place last.
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

/// A joined thread still exists until its tracer has seen its end, just as otherwise until the kernel has removed it.
/// And unshare(2) refuses a process that has a second thread.
#[test]
fn the_thread_is_waited_for_until_it_is_gone() {
    needs_root!();
    let stage = Stage::new();
    let mut daemon = super::daemon(&stage, &["--stdout", "rotate:50,1:log"]);
    let process = daemon.process;
    let tasks = fs::read_dir(format!("/proc/{}/task", process.0)).expect("its threads");
    let mut numbers =
        tasks.map(|task| task.expect("a thread").file_name().to_string_lossy().parse().expect("a number"));
    let thread = numbers.find(|&number: &i32| number != process.0).expect("a second thread");
    ptrace::seize(Pid::from_raw(thread), ptrace::Options::empty()).expect("trace it");
    daemon.send("rotate-and-leave-users");
    eventually("its end", || {
        let status = fs::read_to_string(format!("/proc/{}/task/{thread}/status", process.0)).expect("a thread");
        status.contains("\nState:\tZ").then_some(())
    });
    await_another_look(process);
    waitpid(Pid::from_raw(thread), Some(WaitPidFlag::__WALL)).expect("its end");
    assert_eq!(daemon.answer(), "");
}

/// Whoever polls sleeps between two looks.
fn await_another_look(process: Process) {
    let sleeps = || process.status("voluntary_ctxt_switches")?.parse::<u64>().ok();
    let before = sleeps().expect("a number");
    eventually("some looks", || (sleeps()? > before + 3).then_some(()));
}

/// Two programs share one log. One is stopped between two steps for longer than the other waits. It continues after the
/// other has rotated the log.
fn what_is_there_when_one_was_late(step: &str, keep: u32) -> Option<Vec<String>> {
    let stage = Stage::new();
    fs::write(stage.path("log.2"), "zero\n").expect("write");
    fs::write(stage.path("log.1"), "one\n").expect("write");
    let limit = format!("50,{keep}");
    let mut late = late_daemon(&stage, "RENAME_WAITS", step, &limit)?;
    let mut other = super::daemon(&stage, &["--stdout", &format!("rotate:{limit}:log")]);
    assert_eq!(other.ask("rotate"), "");
    late.ask(&format!("stdout {}", line("two")));
    assert_eq!(late.ask("begin-to-rotate"), "");
    await_late_thread(&stage);
    other.ask("stdout three");
    eventually("a rotation by the other", || {
        assert_eq!(other.ask("rotate"), "");
        (other.process.descriptor(1)? != late.process.descriptor(1)?).then_some(())
    });
    other.ask("stdout four");
    drop(stage.create("go"));
    late.ask("end-lines");
    assert_eq!(late.ask("rotate"), "");
    late.ask("stdout five");
    assert_eq!(words(&stage, &["log"]), ["four five"], "a log below its limit");
    let mut names = stage.files();
    names.retain(|name| name.starts_with("log."));
    names.sort_by(|one, other| other.cmp(one));
    Some(words(&stage, &names.iter().map(String::as_str).collect::<Vec<_>>()))
}

#[test]
fn who_is_late_with_the_log_replaces_no_other() {
    let Some(there) = what_is_there_when_one_was_late("log.1", 9) else { return };
    assert_eq!(there, ["zero", "one", "two three"]);
}

#[test]
fn who_is_late_with_what_was_the_log_replaces_no_other() {
    let Some(there) = what_is_there_when_one_was_late("log.2", 9) else { return };
    assert_eq!(there, ["zero", "one", "two three"]);
}

#[test]
fn who_is_late_with_the_oldest_removes_no_other() {
    let Some(there) = what_is_there_when_one_was_late("log.3", 2) else { return };
    assert_eq!(there, ["one", "two three"]);
}

/// A kernel before 3.15, a file system such as NFS, a filter of system calls.
#[test]
fn where_no_rename_leaves_what_is_there_alone() {
    for error in ["ENOSYS", "EINVAL", "EPERM"] {
        let stage = Stage::new();
        let Some(library) = preload::library(&format!("RENAMEAT2_FAILS={error}")) else { return };
        symlink("target", stage.path("log.3")).expect("link");
        let mut daemon = stage.started(probe(&stage, &["--stdout", "rotate:50,2:log"]).env("LD_PRELOAD", library));
        for word in ["one", "two", "three", "four"] {
            fill(&mut daemon, word);
        }
        assert_eq!(words(&stage, &["log.2", "log.1", "log"]), ["three", "four", ""], "{error}");
        assert!(stage.path("log.3").is_symlink(), "{error}");
    }
}

/// A kernel before 4.11, or a filter of system calls.
#[test]
fn where_nobody_tells_what_cannot_be_renamed() {
    for error in ["ENOSYS", "EPERM"] {
        let stage = Stage::new();
        let Some(library) = preload::library(&format!("STATX_FAILS={error}")) else { return };
        let mut daemon = stage.started(probe(&stage, &["--stdout", "rotate:50,2:log"]).env("LD_PRELOAD", library));
        fill(&mut daemon, "one");
        assert_eq!(words(&stage, &["log.1", "log"]), ["one", ""], "{error}");
    }
}
