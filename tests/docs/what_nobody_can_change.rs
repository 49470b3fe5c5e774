//! The page of that name: what it says of forks, late starts, children and cleaners.

#![allow(unsafe_code)]

use std::{
    fs::{self, File},
    mem,
    process::Command,
};

use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
};
use support::{Daemon, Process, Stage, eventually, needs_root, needs_tools, skip};

use crate::{LATE, PROBE};

const PAGE: &str = include_str!("../../daemon-rt/src/docs/what_nobody_can_change.md");

/// What is found of what `setup` made: in a daemon, and in the foreground.
fn found<T>(what: &str, look: impl Fn(&Stage, &mut Daemon) -> T) -> [T; 2] {
    [[].as_slice(), &["--foreground"]].map(|options| {
        let stage = Stage::new();
        let launcher = stage.start(stage.command(PROBE).args(["--make", what]).args(options));
        let mut daemon = stage.daemon();
        // The launcher's part is gone with the launcher.
        let has_gone = || launcher.process == daemon.process || !launcher.process.is_alive();
        eventually("the launcher's end", || has_gone().then_some(()));
        look(&stage, &mut daemon)
    })
}

#[test]
fn an_alarm_is_left_behind() {
    let [daemon, foreground] = found("alarm", |_, daemon| daemon.ask("alarm"));
    assert_eq!(daemon, "0");
    assert_ne!(foreground, "0");
}

#[test]
fn a_timer_is_left_behind() {
    let timers = |_: &Stage, daemon: &mut Daemon| fs::read_to_string(format!("/proc/{}/timers", daemon.process.0));
    let [Ok(daemon), Ok(foreground)] = found("timer", timers) else { return skip("/proc/PID/timers") };
    assert_eq!(daemon, "");
    assert!(foreground.starts_with("ID: "), "{foreground}");
}

#[test]
fn locked_memory_is_left_behind() {
    needs_root!();
    let [daemon, foreground] = found("memory-lock", |_, daemon| daemon.process.status("VmLck").expect("a process"));
    assert_eq!(daemon, "0 kB");
    assert_ne!(foreground, "0 kB");
}

#[test]
fn a_record_lock_is_left_behind() {
    let kinds = found("record-lock", |stage, _| {
        let file = File::options().read(true).write(true).open(stage.path("locked")).expect("open");
        // SAFETY: all zeroes is a valid lock: of the whole file.
        let mut lock: libc::flock = unsafe { mem::zeroed() };
        lock.l_type = libc::F_WRLCK.try_into().expect("a kind");
        fcntl(&file, FcntlArg::F_GETLK(&mut lock)).expect("look");
        i32::from(lock.l_type)
    });
    assert_eq!(kinds, [libc::F_UNLCK, libc::F_WRLCK]);
}

#[test]
fn a_priority_that_is_reset_on_fork_is_left_behind() {
    needs_root!();
    assert_eq!(found("priority", |_, daemon| daemon.process.number(19)), [0, -5]);
}

#[test]
fn a_late_start_closes_what_was_opened_without_close_on_exec() {
    for (way, is_open) in [(None, "false"), (Some("keep"), "true"), (Some("early"), "true")] {
        let stage = Stage::new();
        let launch = stage.launch(stage.command(LATE).arg(stage.path("report")).args(way));
        assert_eq!(launch.status, 0, "{launch:?}");
        let report = support::eventually("a report", || Some(stage.read("report")).filter(|report| !report.is_empty()));
        assert_eq!(report, is_open, "{way:?}");
    }
}

#[test]
fn children_have_the_umask() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut stage.command(PROBE));
    let child = Process(daemon.ask("spawn").parse().expect("an id"));
    assert_eq!(child.status("Umask").as_deref(), Some("0027"));
}

/// The line of the page that begins so.
fn line(start: &str) -> &'static str {
    PAGE.lines().map(str::trim).find(|line| line.starts_with(start)).expect("a line of the page")
}

/// systemd-tmpfiles with that configuration, in a root directory of the stage's.
fn tmpfiles(stage: &Stage, action: &str, lines: &[&str]) {
    fs::write(stage.path("conf"), lines.join("\n") + "\n").expect("write");
    let root = format!("--root={}", stage.path("root").display());
    let launch = stage.launch(stage.command("systemd-tmpfiles").args([action, &root]).arg(stage.path("conf")));
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
}

#[test]
fn the_line_for_tmpfiles_makes_the_directory() {
    needs_root!();
    needs_tools!("systemd-tmpfiles");
    let stage = Stage::new();
    stage.create_directory("root");
    tmpfiles(&stage, "--create", &[line("d /run/clockd")]);
    let directory = stage.path("root/run/clockd");
    let mut command: Command = stage.command(PROBE);
    let daemon = stage.started(command.arg("--pidfile").arg(directory.join("pid")));
    assert_eq!(stage.read("root/run/clockd/pid"), format!("{}\n", daemon.process.0));
}

#[test]
fn the_line_for_tmpfiles_keeps_a_pidfile_in_tmp() {
    needs_root!();
    needs_tools!("systemd-tmpfiles");
    let stage = Stage::new();
    fs::create_dir_all(stage.path("root/tmp")).expect("create directories");
    let pidfile = stage.path("root/tmp/clockd.pid");
    let mut command = stage.command(PROBE);
    let _daemon = stage.started(command.arg("--pidfile").arg(&pidfile));
    let cleaned = "d /tmp 1777 root root 0"; // at once, and not after ten days
    tmpfiles(&stage, "--clean", &[cleaned, line("x /tmp/clockd.pid")]);
    assert!(pidfile.exists());
    tmpfiles(&stage, "--clean", &[cleaned]);
    assert!(!pidfile.exists());
}
