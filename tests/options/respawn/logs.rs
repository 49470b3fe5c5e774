//! Each end is one line in the daemon's log and in the system's; and a new daemon opens its log by the path.

use std::{
    fs::{self, File, Permissions},
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink},
};

use nix::{
    libc,
    sys::{signal::Signal, stat::Mode},
    unistd::mkfifo,
};
use support::{Daemon, Stage, Syslog, eventually, needs_root, needs_tools};

use super::{AT_ONCE, probe, supervisor};
use crate::PROBE;

const NOBODY: u32 = 65534;

fn last_line(stage: &Stage, log: &str) -> String {
    stage.read(log).lines().last().unwrap_or_default().to_owned()
}

/// The line in that log, which comes before the next daemon.
fn crash(stage: &Stage, daemon: &mut Daemon, log: &str) -> Daemon {
    let line = format!("probe: process {} ended, signal: 11 (SIGSEGV)", daemon.process.0);
    daemon.send("crash");
    let next = stage.daemon();
    assert!(last_line(stage, log).starts_with(&line), "{:?} in {:?}", stage.read(log), stage.files());
    assert!(last_line(stage, log).ends_with("; the daemon is started again in 1ms"), "{:?}", stage.read(log));
    next
}

#[test]
fn each_end_is_a_line_in_the_log() {
    let stage = Stage::new();
    let mut daemon =
        stage.started(&mut probe(&stage, &["--name", "clock\u{1b}d", "--respawn", "on-failure,1,60000,1,1"]));
    let first = daemon.process.0;
    daemon.send("exit 3");
    let mut next = stage.daemon();
    let second = next.process.0;
    let parent = supervisor(&next);
    next.send("exit 4");
    parent.wait();
    let expected = format!(
        "clock\\u{{1b}}d: process {first} ended, exit status: 3; the daemon is started again in 1ms\n\
         clock\\u{{1b}}d: process {second} ended, exit status: 4; it is not started again: the limit is 1 in 60s\n"
    );
    assert_eq!(stage.read("log"), expected);
}

#[test]
fn an_end_that_is_no_failure_is_one_too() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &[]));
    let parent = supervisor(&daemon);
    daemon.send("exit 0");
    parent.wait();
    assert_eq!(stage.read("log"), format!("probe: process {} ended, exit status: 0\n", daemon.process.0));
}

#[test]
fn each_end_is_a_line_in_the_systems_log() {
    needs_root!();
    let stage = Stage::new();
    let syslog = Syslog::new(&stage);
    let mut daemon = stage.started(stage.command_beside_syslog(PROBE).args(["--respawn", AT_ONCE]));
    let supervisor = supervisor(&daemon);
    daemon.send("exit 3");
    let next = stage.daemon();
    supervisor.signal(Signal::SIGTERM);
    supervisor.wait();
    let (from, first, second) = (supervisor.0, daemon.process.0, next.process.0);
    assert_eq!(
        syslog.lines(),
        [
            format!("<27>probe[{from}]: process {first} ended, exit status: 3; the daemon is started again in 1ms"),
            format!("<29>probe[{from}]: process {second} ended as it was asked to, signal: 15 (SIGTERM)"),
        ]
    );
}

#[test]
fn only_a_failure_that_nobody_asked_for_is_an_error() {
    needs_root!();
    let stage = Stage::new();
    let syslog = Syslog::new(&stage);
    let options = ["--respawn", "always,1000,60000,1,1", "--stop-requested"];
    let mut daemon = stage.started(stage.command_beside_syslog(PROBE).args(options));
    let supervisor = supervisor(&daemon);
    daemon.send("exit 0");
    let mut next = stage.daemon();
    supervisor.signal(Signal::SIGTERM);
    eventually("the request", || (next.ask("is-stop-requested") == "true").then_some(()));
    next.send("exit 3");
    supervisor.wait();
    let (from, first, second) = (supervisor.0, daemon.process.0, next.process.0);
    assert_eq!(
        syslog.lines(),
        [
            format!("<29>probe[{from}]: process {first} ended, exit status: 0; the daemon is started again in 1ms"),
            format!("<29>probe[{from}]: process {second} ended as it was asked to, exit status: 3"),
        ]
    );
}

#[test]
fn a_log_that_was_renamed_is_opened_by_its_path() {
    for options in [[].as_slice(), &["--reopen-logs"]] {
        let stage = Stage::new();
        let mut daemon = stage.started(&mut probe(&stage, options));
        for round in 1..4 {
            fs::rename(stage.path("log"), stage.path(&format!("log.{round}"))).expect("rename");
            daemon = crash(&stage, &mut daemon, "log");
            assert_eq!(daemon.ask(&format!("stderr round {round}")), "");
            assert_eq!(last_line(&stage, "log"), format!("round {round}"), "{options:?}");
        }
    }
}

/// As logrotate does it: the daemon itself has opened the new one, and the supervisor knows nothing of it.
#[test]
fn a_log_that_the_daemon_has_reopened_gets_the_line() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &["--reopen-logs", "--pidfile", "pid"]));
    for round in 1..4 {
        fs::rename(stage.path("log"), stage.path(&format!("log.{round}"))).expect("rename");
        supervisor(&daemon).signal(Signal::SIGHUP); // it hands it on
        eventually("the new log", || stage.path("log").exists().then_some(()));
        daemon = crash(&stage, &mut daemon, "log");
    }
}

/// Each daemon rotates it, and the supervisor does not.
#[test]
fn a_log_that_rotates_gets_the_line() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &["--stdout", "rotate:1000,3:log"]));
    for round in 1..4 {
        assert_eq!(daemon.ask(&format!("stdout {}", "x".repeat(2000))), "");
        eventually("a rotation", || stage.path(&format!("log.{round}")).exists().then_some(()));
        daemon = crash(&stage, &mut daemon, "log");
    }
}

#[test]
fn the_user_of_the_daemon_opens_the_log() {
    needs_root!();
    for options in [[].as_slice(), &["--reopen-logs"]] {
        let stage = Stage::new();
        stage.open_to_all();
        stage.create_directory("logs");
        chown(stage.path("logs"), Some(NOBODY), None).expect("an owner");
        let mut daemon =
            stage.started(&mut probe(&stage, &[&["--user", "nobody", "--stdout", "logs/log"], options].concat()));
        fs::rename(stage.path("logs/log"), stage.path("logs/log.1")).expect("rename");
        daemon = crash(&stage, &mut daemon, "logs/log");
        assert_eq!(fs::metadata(stage.path("logs/log")).expect("a log").uid(), NOBODY, "{options:?}");
        // A link that the user puts there leads root nowhere.
        fs::write(stage.path("secret"), "").expect("write");
        fs::remove_file(stage.path("logs/log")).expect("remove");
        symlink(stage.path("secret"), stage.path("logs/log")).expect("a link");
        daemon.send("crash");
        let _next = stage.daemon();
        assert_eq!(stage.read("secret"), "", "{options:?}");
    }
}

#[test]
fn a_log_that_cannot_be_opened_stays_the_one_of_before() {
    needs_root!();
    for options in [[].as_slice(), &["--reopen-logs"]] {
        let stage = Stage::new();
        stage.open_to_all(); // and writable by root alone
        fs::write(stage.path("log"), "").expect("write");
        chown(stage.path("log"), Some(NOBODY), None).expect("an owner");
        let mut daemon = stage.started(&mut probe(&stage, &[&["--user", "nobody"], options].concat()));
        fs::rename(stage.path("log"), stage.path("log.1")).expect("rename");
        daemon.send("crash");
        let mut next = stage.daemon();
        assert_eq!(next.ask("stderr still here"), "");
        assert!(!stage.path("log").exists(), "{options:?}");
        let log = stage.read("log.1");
        assert!(log.contains(&format!("process {} ended", daemon.process.0)), "{log:?}");
        assert!(log.ends_with("still here\n"), "{log:?}");
    }
}

#[test]
fn in_a_jail_it_is_the_one_inside() {
    needs_root!();
    for options in [[].as_slice(), &["--reopen-logs"], &["--user", "nobody"], &["--user", "nobody", "--reopen-logs"]] {
        let stage = Stage::new();
        stage.open_to_all();
        fs::create_dir_all(stage.path("jail/logs")).expect("create");
        fs::set_permissions(stage.path("jail"), Permissions::from_mode(0o755)).expect("a mode");
        chown(stage.path("jail/logs"), Some(NOBODY), None).expect("an owner");
        let owner = options.contains(&"nobody");
        if !owner {
            chown(stage.path("jail/logs"), Some(0), None).expect("an owner");
        }
        let serve = ["--serve", "port", "--chroot", "jail", "--stdout", "jail/logs/log", "--respawn", AT_ONCE];
        let launch = stage.launch(stage.command(PROBE).args(serve).args(options));
        assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
        let service = super::load::Service::of(&stage);
        let first = service.id();
        fs::rename(stage.path("jail/logs/log"), stage.path("jail/logs/log.1")).expect("rename");
        service.end_by("/crash");
        assert_ne!(service.id(), first);
        let log = stage.read("jail/logs/log");
        assert!(log.starts_with(&format!("probe: process {first} ended, signal: 11")), "{options:?}: {log:?}");
    }
}

#[test]
fn a_full_disk_costs_the_line_and_nothing_else() {
    needs_root!();
    needs_tools!("mount");
    let stage = Stage::new();
    stage.create_directory("full");
    let script = "mount -t tmpfs -o size=64k tmpfs full && dd if=/dev/zero of=full/zeroes 2>/dev/null; true";
    let mut command = stage.command_behind(script, PROBE);
    let mut daemon = stage.started(command.args(["--respawn", AT_ONCE, "--stdout", "full/log"]));
    for _ in 0..3 {
        daemon.send("crash");
        daemon = stage.daemon();
    }
}

/// Nobody may read it: a write would wait.
#[test]
fn a_fifo_gets_no_line() {
    let stage = Stage::new();
    mkfifo(&stage.path("fifo"), Mode::S_IRWXU).expect("a fifo");
    let mut options = File::options();
    let reader = options.read(true).write(true).custom_flags(libc::O_NONBLOCK).open(stage.path("fifo"));
    let mut daemon = stage.started(&mut probe(&stage, &["--stdout", "fifo"]));
    for _ in 0..3 {
        daemon.send("crash");
        daemon = stage.daemon();
    }
    assert_eq!(daemon.ask("stderr its own"), "");
    let mut text = [0; 4096];
    let length = reader.expect("a reader").read(&mut text).expect("a line");
    assert_eq!(String::from_utf8_lossy(&text[..length]), "its own\n");
}
