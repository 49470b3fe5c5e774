//! A daemon that executes a program, itself for example: what it keeps, and what it loses.

use std::fs;

use daemon_rt::{PidFile, Status};
use nix::sys::{signal::Signal, wait::WaitStatus};
use support::{Daemon, Stage, eventually, needs_root};

use crate::PROBE;

const OPTIONS: [&str; 5] = ["--pidfile", "pid", "--stdout", "log", "--reopen-logs"];

/// Has the daemon execute itself, from the directory of the launch, with these options as well.
fn execute_itself(stage: &Stage, daemon: &mut Daemon, options: &[&str]) -> Daemon {
    let options = [&OPTIONS, options].concat().join(" ");
    daemon.send(&format!("exec-shell cd {} && exec {PROBE} {options}", stage.directory().display()));
    stage.daemon()
}

fn rotate(stage: &Stage, daemon: &mut Daemon) {
    fs::rename(stage.path("log"), stage.path("log.1")).expect("rename");
    daemon.process.signal(Signal::SIGHUP);
    assert_eq!(daemon.ask("stdout a line"), "");
}

/// The lock is free at the exec, and the process that was the daemon is the launcher of the next one.
#[test]
fn itself_and_detaches_again() {
    let stage = Stage::new();
    let mut first = stage.started(stage.command(PROBE).args(OPTIONS));
    let mut second = execute_itself(&stage, &mut first, &["--detach", "always"]);
    assert_ne!(second.process, first.process);
    assert!(matches!(first.wait(), WaitStatus::Exited(_, 0)));
    assert_eq!(stage.read("pid"), format!("{}\n", second.process.0));
    let status = PidFile::new(stage.path("pid")).status().expect("a status");
    assert!(matches!(status, Status::Running { pid, .. } if pid == second.process.0.unsigned_abs()), "{status:?}");
    rotate(&stage, &mut second);
    eventually("a new log", || {
        second.ask("stdout another");
        stage.read("log").contains("another").then_some(())
    });
    assert_eq!(stage.processes(), [second.process]);
}

/// Process id, pidfile and streams stay. But the streams are no longer its own, so it does not reopen them.
#[test]
fn itself_and_stays() {
    let stage = Stage::new();
    let mut first = stage.started(stage.command(PROBE).args(OPTIONS));
    let mut second = execute_itself(&stage, &mut first, &["--detach", "never"]);
    assert_eq!(second.process, first.process);
    let status = PidFile::new(stage.path("pid")).status().expect("a status");
    assert!(matches!(status, Status::Running { pid, .. } if pid == second.process.0.unsigned_abs()), "{status:?}");
    rotate(&stage, &mut second);
    assert_eq!((stage.read("log"), stage.read("log.1")), (String::new(), "a line\n".into()));
    second.send("exit 0");
    second.wait();
    assert!(!stage.path("pid").exists());
}

#[test]
fn itself_without_the_privileges_for_its_pidfile() {
    needs_root!();
    let stage = Stage::new();
    stage.open_to_all();
    let options = [&OPTIONS[..4], &["--user", "nobody", "--detach", "always", "--connect"]].concat();
    let mut first = stage.started(stage.command(PROBE).args(&options));
    let options = options.join(" ");
    let probe = stage.copy(PROBE); // nobody may not reach the original
    first.send(&format!("exec-shell cd {} && exec {} {options}", stage.directory().display(), probe.display()));
    assert!(matches!(first.wait(), WaitStatus::Exited(_, 1)));
    let line = format!("probe: cannot lock {}: Permission denied (os error 13)\n", stage.path("pid").display());
    assert_eq!(stage.read("log"), line);
}

#[test]
fn another_program_without_the_lock() {
    let stage = Stage::new();
    let mut first = stage.started(stage.command(PROBE).args(OPTIONS));
    first.send("exec");
    let status = || PidFile::new(stage.path("pid")).status().expect("a status");
    eventually("the exec", || (status() == Status::Stale).then_some(()));
    assert_eq!(stage.read("pid"), format!("{}\n", first.process.0));
    let second = stage.started(stage.command(PROBE).args(OPTIONS));
    assert!(first.process.is_alive());
    assert_eq!(stage.read("pid"), format!("{}\n", second.process.0));
}
