//! Where the new version does not get ready, nothing changes, and whoever asked reads why.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    time::Duration,
};

use daemon_rt::{PidFile, Status};
use nix::sys::signal::Signal;
use support::{DEADLINE, Daemon, Stage, eventually};

use super::{Service, executable, supervisor};
use crate::{CLIENT, PROBE};

#[test]
fn a_program_that_cannot_be_executed() {
    let service = Service::new();
    let mut daemon = service.started(&[]);
    let path = service.program.display();
    fs::remove_file(&service.program).expect("remove");
    let reason = service.refusal(&mut daemon);
    assert_eq!(reason, format!("cannot execute {path}: No such file or directory (os error 2)"));

    fs::write(&service.program, "no program").expect("write");
    fs::set_permissions(&service.program, Permissions::from_mode(0o755)).expect("set the mode");
    assert_eq!(service.refusal(&mut daemon), format!("cannot execute {path}: Exec format error (os error 8)"));

    fs::set_permissions(&service.program, Permissions::from_mode(0o644)).expect("set the mode");
    assert_eq!(service.refusal(&mut daemon), format!("cannot execute {path}: Permission denied (os error 13)"));

    let line = format!("probe: cannot upgrade: cannot execute {path}: Permission denied (os error 13)\n");
    assert!(service.stage.read("log").ends_with(&line), "{}", service.stage.read("log"));

    let before = executable(daemon.process);
    service.install(PROBE);
    assert_ne!(executable(service.upgraded().process), before, "then it can");
}

/// It comes last in what the new program says, behind whatever else was written to the log meanwhile.
#[test]
fn the_log_has_the_reason_however_much_the_daemon_writes() {
    let service = Service::new();
    let mut daemon = service.started(&["--notify", "--ready"]);
    service.install_script(&format!("#!/bin/sh\nexec {PROBE} \"$@\" --end-in-main"));
    assert_eq!(daemon.ask("begin-lines 1"), "");
    service.pidfile().upgrade(DEADLINE).expect_err("no upgrade");
    daemon.ask("end-lines");
    let log = service.stage.read("log");
    let line = log.lines().find(|line| line.starts_with("probe: cannot upgrade: ")).expect("a line");
    assert!(line.ends_with("probe: the daemon ended before it was ready: exit status: 3"), "{line}");
}

/// As after a start from a terminal.
#[test]
fn the_caller_reads_all_that_the_new_program_said() {
    let service = Service::new();
    let mut daemon = service.started(&["--notify", "--ready"]);
    for (lines, is_cut) in [(3, false), (300, false), (2000, true)] {
        let script = format!("#!/bin/sh\nseq -f 'line %05.0f of the reason, which is this long' {lines} >&2; exit 1");
        service.install_script(&script);
        let reason = service.refusal(&mut daemon);
        let mut seen = reason.lines();
        if is_cut {
            assert_eq!(seen.next(), Some("(only the last 64 KiB of standard error follow)"));
        }
        let seen: Vec<_> = seen.collect();
        let first = if is_cut { 2001 - seen.len() } else { 1 };
        let line = |number| format!("line {number:05} of the reason, which is this long");
        assert_eq!(seen, (first..=lines).map(line).collect::<Vec<_>>(), "{lines}");
        assert!(!is_cut || seen.len() > 1400, "{}", seen.len());
    }
}

#[test]
fn a_start_that_fails() {
    let service = Service::new();
    let mut daemon = service.started(&["--notify", "--ready"]);
    let new = |options: &str| format!("#!/bin/sh\nexec -a probe {PROBE} \"$@\" {options}").replace("sh\n", "bash\n");
    let path = service.stage.path("log").canonicalize().expect("a path");
    for (script, reason) in [
        (new("--fail 'bad luck'"), "bad luck: the cause".into()),
        (new("--chdir /missing"), "cannot change directory to /missing: No such file or directory (os error 2)".into()),
        (new("--pidfile other"), {
            let other = service.stage.path("other");
            format!("cannot lock {}: No such file or directory (os error 2)", other.display())
        }),
        (new("--foreground"), "cannot take over from the running daemon in the foreground: `detach` is `Never`".into()),
        (format!("#!/bin/sh\nDAEMON_UPGRADE=\"2${{DAEMON_UPGRADE#1}}\" exec {PROBE} \"$@\""), {
            "cannot take over from the running daemon: it hands over by version 2, and this program knows 1".into()
        }),
        ("#!/bin/sh\necho 'libfoo.so: not found' >&2; exit 127".into(), "libfoo.so: not found".into()),
        ("#!/bin/sh\nexit 0".into(), "the new program ended, exit status: 0".into()),
        ("#!/bin/sh\nkill -SEGV $$".into(), "the new program ended, signal: 11 (SIGSEGV)".into()),
    ] {
        service.install_script(&script);
        assert_eq!(service.refusal(&mut daemon), reason, "{script}");
    }
    assert_eq!(path, service.stage.path("log").canonicalize().expect("still there"));
    service.install(PROBE);
    drop(service.upgraded());
}

/// Asked before it can say so, the test tells the new daemon to end.
#[test]
fn a_daemon_that_ends_before_it_is_ready() {
    for (command, reason) in [
        ("panic out of luck", "panicked"),
        ("exit 3", "the daemon ended before it was ready: exit status: 3"),
        ("crash", "the daemon ended before it was ready: signal: 11 (SIGSEGV)"),
    ] {
        let service = Service::new();
        let launcher = service.stage.start(&mut service.command(&["--notify"]));
        let mut daemon = service.stage.daemon();
        daemon.ask("ready");
        assert_eq!(launcher.end().status, 0);
        let pidfile = service.pidfile();
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| pidfile.upgrade(DEADLINE).expect_err("no upgrade"));
            let mut new = service.stage.daemon();
            new.send(command);
            let error = format!("{:#}", asking.join().expect("an error"));
            assert!(error.contains(reason), "{error}");
        });
        assert!(!daemon.ask("look").is_empty(), "it serves on");
        eventually("what it started has ended", || (service.stage.processes().len() == 2).then_some(()));
    }
}

#[test]
fn a_panic_in_setup() {
    let service = Service::new();
    let mut daemon = service.started(&[]);
    service.install_script(&format!("#!/bin/sh\nexec {PROBE} \"$@\" --umask number"));
    let reason = service.refusal(&mut daemon);
    assert_eq!(reason, "invalid digit found in string");
}

#[test]
fn one_that_never_gets_ready() {
    let service = Service::new();
    let mut daemon = service.started(&["--notify", "--ready", "--start-timeout", "300"]);
    service.install_script(&format!(
        "#!/bin/sh\nexec {PROBE} --pidfile pid --respawn always --notify --start-timeout 300"
    ));
    let error = service.pidfile().upgrade(DEADLINE).expect_err("no upgrade");
    let said = format!("{error:#}");
    assert!(said.ends_with("the daemon was not ready within 300ms: it has not called `ready`"), "{said}");
    drop(service.stage.daemon()); // it did report
    eventually("what it started has ended", || (service.stage.processes().len() == 2).then_some(()));

    service.install_script("#!/bin/sh\nexec sleep 1000");
    let reason = service.refusal(&mut daemon);
    assert_eq!(reason, "the new daemon was not ready within 600ms");
}

#[test]
fn the_time_of_whoever_asks_is_over_first() {
    let service = Service::new();
    let mut daemon = service.started(&["--notify", "--ready"]);
    service.install_script("#!/bin/sh\nexec sleep 1000");
    let error = service.pidfile().upgrade(Duration::from_millis(300)).expect_err("no upgrade");
    let line = format!("cannot upgrade process {}: no new one has taken over within 300ms", supervisor(&daemon).0);
    assert_eq!(format!("{error:#}"), line);
    assert!(!daemon.ask("look").is_empty());
}

/// It would end by the signal.
#[test]
fn a_daemon_without_a_supervisor_gets_no_signal() {
    let stage = Stage::new();
    let mut daemon = stage.started(stage.command(PROBE).args(["--pidfile", "pid"]));
    let error = PidFile::new(stage.path("pid")).upgrade(DEADLINE).expect_err("no supervisor");
    let why = "it was started without `respawn`, or in a way that rules out an upgrade; restart it";
    assert_eq!(format!("{error:#}"), format!("cannot upgrade process {}: {why}", daemon.process.0));
    assert!(!daemon.ask("look").is_empty());
    let said = stage.launch(stage.command(PROBE).args(["--pidfile", "pid", "--obey", "upgrade"]));
    assert_eq!(said.status, 3, "an action that the service has not");
}

#[test]
fn where_nothing_runs() {
    let stage = Stage::new();
    let said = stage.launch(stage.command(PROBE).args(["--pidfile", "pid", "--obey", "upgrade"]));
    let line = format!("probe: no running daemon holds {}\n", stage.path("pid").display());
    assert_eq!((said.status, said.stderr), (7, line));
}

/// To launch that again would start another client.
#[test]
fn a_daemon_of_a_program_that_goes_on_gets_the_signal_itself() {
    let stage = Stage::new();
    let mut command = stage.command(CLIENT);
    command.args(["spawn", "--respawn", "on-failure", "--pidfile", "pid", "--listen", "sigaction SIGUSR2"]);
    gets_the_signal_itself(&stage, stage.started(&mut command));
}

/// Launched again by a supervisor, it would gain nothing.
#[test]
fn a_daemon_of_a_set_user_id_program_gets_the_signal_itself() {
    let stage = Stage::new();
    let Some(program) = stage.copy_with_mode(PROBE, 0o4755) else { return };
    let mut command = stage.command_of_nobody(&program);
    command.args(["--respawn", "on-failure", "--pidfile", "pid", "--listen", "sigaction SIGUSR2"]);
    gets_the_signal_itself(&stage, stage.started(&mut command));
}

fn gets_the_signal_itself(stage: &Stage, mut daemon: Daemon) {
    let supervisor = supervisor(&daemon);
    supervisor.signal(Signal::SIGUSR2);
    eventually("the signal", || (daemon.ask("heard") == "1").then_some(()));
    let error = PidFile::new(stage.path("pid")).upgrade(DEADLINE).expect_err("no upgrade");
    assert!(format!("{error:#}").starts_with(&format!("cannot upgrade process {}: ", supervisor.0)), "{error:#}");
    assert_eq!(daemon.ask("heard"), "1", "nor is it asked to");
    assert_eq!(daemon.process.parent(), supervisor.0);
    assert!(stage.no_daemon_reported());
}

/// Without a pidfile nothing else would keep it from a life beside the old one.
#[test]
fn a_version_that_can_take_nothing_over() {
    let service = Service::new();
    let options = ["--respawn", "on-failure", "--stdout", "log"];
    let mut daemon = service.stage.started(service.stage.command(&service.program).args(options));
    let supervisor = supervisor(&daemon);
    let new = |program: &str, options: &str| format!("#!/bin/bash\nexec -a probe {program} {options}");
    for (script, reason) in [
        (new(PROBE, "--detach always"), "the option `respawn` is not set"),
        (new(PROBE, ""), "the option `respawn` is not set"),
        (new(PROBE, "--respawn on-failure --foreground"), "in the foreground: `detach` is `Never`"),
    ] {
        service.install_script(&script);
        let before = service.stage.read("log").len();
        supervisor.signal(Signal::SIGUSR2);
        let log = || service.stage.read("log")[before..].to_owned();
        let line = eventually("a line", || log().ends_with('\n').then(log));
        assert!(line.starts_with("probe: cannot upgrade: cannot take over from the running daemon"), "{line}");
        assert!(line.trim_end().ends_with(reason), "{line}");
        eventually("the old one alone", || (service.stage.processes().len() == 2).then_some(()));
        assert!(!daemon.ask("look").is_empty());
    }
}

/// The number of a process that has gone would be another's some time.
#[test]
fn a_version_without_a_pidfile_leaves_none_behind() {
    let service = Service::new();
    let old = service.started(&[]);
    service.install_script(&format!("#!/bin/sh\nexec {PROBE} --respawn on-failure --stdout log"));
    service.pidfile().upgrade(DEADLINE).expect("an upgrade");
    let new = service.stage.daemon();
    super::has_ended(&old);
    eventually("the new one alone", || (service.stage.processes().len() == 2).then_some(()));
    assert_eq!(service.stage.files(), ["log", "probe"]);
    drop(new);
}

/// It is not heard to the end.
#[test]
fn a_program_that_says_more_than_anybody_reads() {
    let service = Service::new();
    let mut daemon = service.started(&["--notify", "--ready", "--start-timeout", "500"]);
    service.install_script("#!/usr/bin/perl\nfork for 1..5; syswrite STDERR, 'y' x 1000 while 1");
    assert_eq!(service.refusal(&mut daemon), "the new daemon was not ready within 1s");
}

/// It ends by itself, and so does whatever is under way.
#[test]
fn a_daemon_that_ends_meanwhile() {
    let service = Service::new();
    let mut old = service.started(&[]);
    let go = service.install_waiting();
    let (pidfile, supervisor) = (service.pidfile(), supervisor(&old));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| pidfile.upgrade(DEADLINE).expect_err("no upgrade"));
        let _go = fs::File::options().write(true).open(&go).expect("it waits");
        old.send("exit 0");
        let line = format!("cannot upgrade process {}: the running daemon has ended", supervisor.0);
        assert_eq!(format!("{:#}", asking.join().expect("an error")), line);
    });
    eventually("the end of all", || service.stage.processes().is_empty().then_some(()));
    assert_eq!(service.stage.files(), ["go", "log", "probe"]);
}

/// Nobody would know any more that it was executed for an upgrade.
#[test]
fn a_supervisor_that_is_killed_takes_the_new_program_along() {
    let service = Service::new();
    let old = service.started(&[]);
    let go = service.stage.path("go");
    nix::unistd::mkfifo(&go, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    service.install_script(&format!("#!/bin/sh\nread line <go\nexec {PROBE} --detach always"));
    let (pidfile, supervisor) = (service.pidfile(), supervisor(&old));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| pidfile.upgrade(DEADLINE).expect_err("no upgrade"));
        let _go = fs::File::options().write(true).open(&go).expect("it waits");
        supervisor.signal(Signal::SIGKILL);
        let line = format!("cannot upgrade process {}: it has ended", supervisor.0);
        assert_eq!(format!("{:#}", asking.join().expect("an error")), line);
        eventually("the end of all", || service.stage.processes().is_empty().then_some(()));
    });
    assert_eq!(pidfile.status().expect("a status"), Status::Stale);
}
