//! Which ends are failures, how long the next daemon is waited for, and how the supervisor itself ends.

use std::time::{Duration, Instant};

use nix::{
    libc,
    sys::{signal::Signal, wait::WaitStatus},
    unistd::Pid,
};
use support::{Daemon, Process, Stage, eventually};

use super::{AT_ONCE, both_end, probe, supervisor};
use crate::{CLIENT, PROBE};

/// What the daemon does, and whether it is started again on a failure.
const ENDS: [(&str, bool); 12] = [
    ("return", false),
    ("return-status 3", true),
    ("exit 0", false),
    ("exit 3", true),
    ("crash", true),
    ("abort", true),
    ("panic oh", true),
    ("raise 15", false),
    ("raise 2", false),
    ("raise 1", false),
    ("raise 13", false),
    ("raise 9", true),
];

/// A daemon that does that, for which every signal has its default action.
fn ending(stage: &Stage, respawn: &str) -> (Daemon, Process) {
    let options = ["--default-signal", "SIGPIPE", "--respawn", respawn];
    let daemon = stage.started(stage.command(PROBE).args(options));
    let supervisor = supervisor(&daemon);
    (daemon, supervisor)
}

#[test]
fn a_failure_is_what_systemd_calls_one() {
    for (end, is_failure) in ENDS {
        let stage = Stage::new();
        let (mut daemon, supervisor) = ending(&stage, "on-failure,1000,60000,1,1");
        daemon.send(end);
        if is_failure {
            let next = stage.daemon();
            assert_ne!(next.process, daemon.process, "{end}");
            assert_eq!(next.process.parent(), supervisor.0, "{end}");
        } else {
            supervisor.wait();
            assert!(stage.no_daemon_reported(), "{end}");
        }
    }
}

#[test]
fn always_means_however_it_ends() {
    let stage = Stage::new();
    let (mut daemon, supervisor) = ending(&stage, "always,1000,60000,1,1");
    for (end, _) in ENDS {
        daemon.send(end);
        daemon = stage.daemon();
        assert_eq!(daemon.process.parent(), supervisor.0, "{end}");
    }
}

#[test]
fn the_supervisor_ends_as_the_daemon_did() {
    let signaled = |id: Process, signal| WaitStatus::Signaled(Pid::from_raw(id.0), signal, false);
    let exited = |id: Process, status| WaitStatus::Exited(Pid::from_raw(id.0), status);
    for (respawn, end) in [("on-failure", "return"), ("always,1,60000,1,1", "return")] {
        let stage = Stage::new();
        let (mut daemon, supervisor) = ending(&stage, respawn);
        daemon.send(end);
        if respawn != "on-failure" {
            daemon = stage.daemon();
            daemon.send(end);
        }
        assert_eq!(supervisor.wait(), exited(supervisor, 0), "{respawn}");
    }
    for (end, expected) in [
        ("exit 3", None),
        ("crash", Some(Signal::SIGSEGV)),
        ("raise 9", Some(Signal::SIGKILL)),
        ("abort", Some(Signal::SIGABRT)),
    ] {
        let stage = Stage::new();
        let (mut daemon, supervisor) = ending(&stage, "on-failure,2,60000,1,1");
        for _ in 0..2 {
            daemon.send(end);
            daemon = stage.daemon();
        }
        daemon.send(end);
        let expected = expected.map_or(exited(supervisor, 3), |signal| signaled(supervisor, signal));
        assert_eq!(supervisor.wait(), expected, "{end}");
        assert!(stage.no_daemon_reported(), "{end}");
    }
}

/// A core of the supervisor would hold what `setup` left, and would not help to find the failure.
#[test]
fn only_the_daemon_leaves_a_core() {
    let stage = Stage::new();
    let mut shell = stage.command("sh");
    let script = "ulimit -c unlimited && exec \"$@\"";
    shell.args(["-c", script, "sh", PROBE, "--respawn", "always,1,60000,1,1"]);
    let mut daemon = stage.started(shell.arg("--chdir").arg(stage.directory()));
    let supervisor = supervisor(&daemon);
    daemon.send("abort");
    daemon = stage.daemon();
    daemon.send("abort");
    let id = Pid::from_raw(supervisor.0);
    assert_eq!(supervisor.wait(), WaitStatus::Signaled(id, Signal::SIGABRT, false));
}

#[test]
fn the_delay_doubles_up_to_the_longest_one() {
    let stage = Stage::new();
    let (mut daemon, _) = ending(&stage, "on-failure,1000,60000,50,150");
    for least in [50, 100, 150, 150].map(Duration::from_millis) {
        let start = Instant::now();
        daemon.send("exit 1");
        daemon = stage.daemon();
        assert!(start.elapsed() >= least, "{:?} of {least:?}", start.elapsed());
        assert!(start.elapsed() < least + Duration::from_secs(2), "{:?} of {least:?}", start.elapsed());
    }
}

#[test]
fn by_default_it_is_100_milliseconds_and_then_200() {
    let stage = Stage::new();
    let (mut daemon, _) = ending(&stage, "on-failure");
    for least in [100, 200].map(Duration::from_millis) {
        let start = Instant::now();
        daemon.send("exit 1");
        daemon = stage.daemon();
        assert!((least..least + Duration::from_secs(2)).contains(&start.elapsed()), "{:?}", start.elapsed());
    }
}

#[test]
fn it_is_the_shortest_again_behind_a_daemon_that_ran_for_the_period() {
    let stage = Stage::new();
    let (mut daemon, _) = ending(&stage, "on-failure,1000,300,20,5000");
    let started = Instant::now();
    for _ in 0..4 {
        daemon.send("exit 1");
        daemon = stage.daemon();
    }
    assert!(started.elapsed() >= Duration::from_millis(20 + 40 + 80 + 160));
    let began = Instant::now();
    eventually("the end of the period", || (began.elapsed() > Duration::from_millis(400)).then_some(()));
    let end = Instant::now();
    daemon.send("exit 1");
    let _next = stage.daemon();
    assert!(end.elapsed() < Duration::from_millis(320), "{:?}", end.elapsed());
}

#[test]
fn a_worker_that_the_daemon_left_behind_lives_on_and_is_not_taken_for_it() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &[]));
    let supervisor = supervisor(&daemon);
    let worker = Process(daemon.ask("spawn").parse().expect("a process"));
    daemon.send("crash");
    let next = stage.daemon();
    assert!(worker.is_alive());
    assert_ne!(worker.parent(), supervisor.0, "it is not the supervisor's");
    worker.signal(Signal::SIGKILL);
    worker.wait();
    assert!(next.process.is_alive());
}

#[test]
fn memory_is_what_setup_left() {
    let stage = Stage::new();
    let options = ["--open", "opened", "--umask", "077", "--chdir", "/usr"];
    let mut daemon = stage.started(&mut probe(&stage, &options));
    let first = daemon.sight.clone();
    for _ in 0..2 {
        assert_eq!(daemon.ask("write opened x"), "");
        daemon.send("crash");
        daemon = stage.daemon();
        for key in
            ["launcher", "group", "session", "terminal", "directory", "Umask", "SigBlk", "SigIgn", "close_on_exec"]
        {
            assert_eq!(daemon.sight.get(key), first.get(key), "{key}");
        }
        assert_eq!(daemon.sight.descriptors(), first.descriptors());
    }
    assert_eq!(stage.read("opened"), "xx");
}

#[test]
fn signals_do_what_setup_said_and_nothing_else() {
    let stage = Stage::new();
    let options = ["--ignore-signal", "SIGUSR1", "--handle-signal", "SIGUSR2", "--block-signal", "SIGWINCH"];
    let mut daemon = stage.started(&mut probe(&stage, &options));
    let sets = |daemon: &Daemon| ["SigBlk", "SigIgn", "SigCgt"].map(|set| daemon.process.status(set));
    let first = sets(&daemon);
    daemon.send("crash");
    assert_eq!(sets(&stage.daemon()), first);
}

#[test]
fn a_request_to_stop_is_each_daemons_own() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &["--stop-requested", "--await-stop-for", "0"]));
    daemon.send("crash");
    let mut next = stage.daemon();
    assert_eq!(next.ask("is-stop-requested"), "false");
    next.process.signal(Signal::SIGTERM);
    eventually("the request", || (next.ask("is-stop-requested") == "true").then_some(()));
    next.send(&format!("exit {}", libc::SIGTERM));
    let mut last = stage.daemon();
    assert_eq!(last.ask("is-stop-requested"), "false");
}

#[test]
fn in_the_foreground_it_does_nothing() {
    let stage = Stage::new();
    let launcher = stage.start(&mut probe(&stage, &["--foreground"]));
    let mut daemon = stage.daemon();
    assert_eq!(daemon.process, launcher.process);
    daemon.send("exit 3");
    assert_eq!(launcher.end().status, 3);
    assert!(stage.no_daemon_reported());
}

#[test]
fn of_start_the_code_behind_the_call_runs_anew() {
    let stage = Stage::new();
    let mut daemon = stage.started(stage.command(CLIENT).args(["start", "--respawn", AT_ONCE]));
    daemon.send("crash");
    assert_ne!(stage.daemon().process, daemon.process);
}

#[test]
fn of_spawn_main_runs_anew_and_the_program_is_told_the_supervisors_number() {
    let stage = Stage::new();
    let _client = stage.start(stage.command(CLIENT).args(["obey", "quietly"]));
    let mut client = stage.daemon();
    client.send(&format!("spawn --notify --respawn {AT_ONCE}"));
    let mut daemon = stage.daemon();
    let supervisor = supervisor(&daemon);
    assert_eq!(daemon.ask("ready-with up"), "");
    assert_eq!(client.answer(), format!("pid={}\nmessage=up", supervisor.0));
    daemon.send("crash");
    let next = stage.daemon();
    assert_eq!(next.process.parent(), supervisor.0);
    assert!(client.process.is_alive());
    supervisor.signal(Signal::SIGTERM);
    both_end(&next, supervisor);
}
