//! Supervisors, which restart what ends: the program stays their child.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::Command,
};

use nix::sys::signal::Signal;
use support::{Daemon, Launcher, Machine, Stage, Terminal, eventually, needs_root, needs_tools};

use crate::{ARRANGE, PROBE};

/// A service directory with that for its program `run`.
fn service(stage: &Stage, run: &str) {
    fs::create_dir_all(stage.path("service")).expect("create a directory");
    fs::write(stage.path("service/run"), run).expect("write a program");
    fs::set_permissions(stage.path("service/run"), Permissions::from_mode(0o755)).expect("a mode");
}

/// Starts a supervisor of that service. A name of its own keeps one that has it from looking for others.
fn supervise(stage: &Stage, supervisor: &str) -> Launcher {
    stage.start(stage.command(supervisor).arg("service"))
}

/// A program that stays, ends and is started anew, by each of those that keep service directories.
fn is_restarted(supervisor: &str) {
    let stage = Stage::new();
    service(&stage, &format!("#!/bin/sh\nexec {PROBE} --pidfile {}\n", stage.path("pid").display()));
    let running = supervise(&stage, supervisor);
    let mut before = None;
    for _ in 0..2 {
        let mut program = stage.daemon();
        program.assert_stays(&format!("a supervisor: its parent is named {supervisor}"));
        assert_eq!(program.process.parent(), running.process.0);
        assert_eq!(stage.read("pid"), format!("{}\n", program.process.0));
        assert_ne!(before.replace(program.process), Some(program.process), "not another one");
        program.send("return");
    }
}

#[test]
fn runit() {
    needs_tools!("runsv");
    is_restarted("runsv");
}

#[test]
fn daemontools() {
    needs_tools!("supervise");
    is_restarted("supervise");
}

#[test]
fn s6() {
    needs_tools!("s6-supervise");
    is_restarted("s6-supervise");
}

/// For programs that go to the background, which this one does not below it.
#[test]
fn fghack() {
    for fghack in ["fghack", "s6-fghack"] {
        needs_tools!("runsv", fghack);
        let stage = Stage::new();
        service(&stage, &format!("#!/bin/sh\nexec {fghack} {PROBE}\n"));
        let _running = supervise(&stage, "runsv");
        let mut before = None;
        for _ in 0..2 {
            let mut program = stage.daemon();
            program.assert_stays(&format!("a supervisor: its parent is named {fghack}"));
            assert_ne!(before.replace(program.process), Some(program.process), "not another one");
            program.send("return");
        }
    }
}

/// If `run` starts the program as its child, the child is lost when `run` ends.
#[test]
fn without_exec_the_parent_is_a_shell_and_it_detaches() {
    needs_tools!("runsv");
    let stage = Stage::new();
    let pidfile = stage.path("pid");
    service(&stage, &format!("#!/bin/sh\n{PROBE} --pidfile {}\necho status $? >>statuses\n", pidfile.display()));
    let _running = supervise(&stage, "runsv");
    let daemon = stage.daemon();
    daemon.assert_detached();
    eventually("the next start, which runsv tries a second later", || {
        (stage.read("service/statuses") == "status 0\nstatus 1\n").then_some(())
    });
    assert!(daemon.process.is_alive() && stage.no_daemon_reported());
}

/// s6's notification-fd: the program keeps the descriptor, and writes a newline to it.
#[test]
fn s6_hears_that_the_program_is_ready() {
    needs_tools!("s6-supervise", "s6-svwait");
    let stage = Stage::new();
    service(&stage, &format!("#!/bin/sh\nexec {PROBE} --keep-fds 3\n"));
    fs::write(stage.path("service/notification-fd"), "3\n").expect("write a number");
    let _running = supervise(&stage, "s6-supervise");
    let mut program = stage.daemon();
    program.assert_stays("a supervisor: its parent is named s6-supervise");
    program.ask("shell echo >&3");
    let waited = stage.launch(stage.command("s6-svwait").args(["-U", "-t", "5000", "service"]));
    assert_eq!(waited.status, 0, "{waited:?}");
}

/// With `notify` from `ready`, and without it before `main`.
#[test]
fn s6_hears_of_readiness_by_the_option() {
    needs_tools!("s6-supervise", "s6-svwait", "s6-svstat");
    for options in ["", "--notify"] {
        let stage = Stage::new();
        service(&stage, &format!("#!/bin/sh\nexec {PROBE} --ready-fd 3 {options}\n"));
        fs::write(stage.path("service/notification-fd"), "3\n").expect("write a number");
        let _running = supervise(&stage, "s6-supervise");
        let mut program = stage.daemon();
        let is_ready = || stage.launch(stage.command("s6-svstat").args(["-o", "ready", "service"])).stdout;
        if options.contains("--notify") {
            assert_eq!(is_ready(), "false\n", "{options}");
            assert_eq!(program.ask("ready"), "");
        }
        let waited = stage.launch(stage.command("s6-svwait").args(["-U", "-t", "5000", "service"]));
        assert_eq!((waited.status, is_ready().as_str()), (0, "true\n"), "{options}");
        assert_eq!(program.ask("ready"), "", "again");
    }
}

#[test]
fn supervisord() {
    needs_tools!("supervisord");
    let stage = Stage::new();
    let running = stage.start(&mut supervisord_of(&stage));
    let mut program = stage.daemon();
    program.assert_stays("supervisord: SUPERVISOR_ENABLED is set, and it has no terminal");
    assert_eq!(program.process.parent(), running.process.0);
    program.ask("stdout hello");
    program.send("exit 7");
    let second = stage.daemon();
    assert_ne!(second.process, program.process);
    assert_eq!(stage.read("out"), "hello\n");
    running.process.signal(Signal::SIGTERM);
    let said = running.end().stdout;
    for line in ["exited: probe (exit status 7; not expected)", "stopped: probe (terminated by SIGTERM)"] {
        assert!(said.contains(line), "no {line} in {said}");
    }
}

fn supervisord_of(stage: &Stage) -> Command {
    let configuration = format!(
        "[supervisord]\nlogfile=/dev/stdout\nlogfile_maxbytes=0\npidfile={directory}/supervisord.pid\n\
         [program:probe]\ncommand={PROBE}\nstdout_logfile={directory}/out\nstderr_logfile=NONE\nstartsecs=0\n",
        directory = stage.directory().display()
    );
    fs::write(stage.path("supervisord.conf"), configuration).expect("write a configuration");
    let mut command = stage.command("supervisord");
    command.args(["--nodaemon", "--configuration", "supervisord.conf"]);
    command
}

#[test]
fn openrc() {
    needs_root!();
    needs_tools!("supervise-daemon");
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    let script = "supervise-daemon probe --pidfile pid";
    // It writes to /run, and keeps its output.
    let supervised = machine
        .shell(&format!(
            "mount -t tmpfs tmpfs /run && mkdir -p /run/openrc/options && {script} --start \"$1\" >out 2>&1"
        ))
        .arg(PROBE)
        .env("RC_SVCNAME", "probe")
        .status();
    assert!(supervised.expect("start it").success(), "{}", stage.read("out"));
    let mut program = stage.daemon();
    program.assert_stays("a supervisor: its parent is named supervise-daemon");
    program.send("exit 7");
    let second: Daemon = stage.daemon();
    second.assert_stays("a supervisor: its parent is named supervise-daemon");
    let stopped = stage.launch(machine.shell(&format!("{script} --stop")).env("RC_SVCNAME", "probe"));
    assert_eq!((stopped.status, stopped.stderr.as_str()), (0, ""));
    assert!(!second.process.is_alive());
}

/// As for a look at it, and in a container that has a terminal.
#[test]
fn supervisord_on_a_terminal() {
    needs_tools!("supervisord");
    let stage = Stage::new();
    let terminal = Terminal::open();
    let supervisord = supervisord_of(&stage);
    let mut arranged = stage.command(ARRANGE);
    arranged
        .arg("--terminal")
        .arg(&terminal.path)
        .arg("--")
        .arg(supervisord.get_program())
        .args(supervisord.get_args());
    let _running = stage.start(&mut arranged);
    stage.daemon().assert_stays("a supervisor: its parent is named supervisord");
}

/// libslack's daemon(1), which refuses programs in directories that others may write to, but for `--unsafe`.
#[test]
fn libslack_daemon() {
    needs_root!();
    needs_tools!("daemon");
    let stage = Stage::new();
    let machine = Machine::start(&stage);
    let script = "daemon --unsafe --inherit --respawn --name=probe --pidfile=$PWD/probe.pid -- \"$1\"";
    let _started = stage.start(machine.shell(script).arg(PROBE));
    let mut before = None;
    for _ in 0..2 {
        let mut program = stage.daemon();
        program.assert_stays("a supervisor: its parent is named daemon");
        assert_ne!(before.replace(program.process), Some(program.process), "not another one");
        program.send("return");
    }
}
