//! The pidfile names the supervisor: whoever asks, stops or reloads gets what a person expects.

use std::{process::Command, time::Duration};

use daemon_rt::{PidFile, Status, Stopped};
use nix::sys::signal::Signal;
use support::{DEADLINE, Daemon, Process, Stage, eventually, needs_root, needs_tools, within};

use super::{AT_ONCE, both_end, content, probe, supervisor, times};
use crate::PROBE;

fn started(stage: &Stage, options: &[&str]) -> (Daemon, Process) {
    let daemon = stage.started(&mut probe(stage, &[&["--pidfile", "pid"], options].concat()));
    let supervisor = supervisor(&daemon);
    (daemon, supervisor)
}

fn number(process: Process) -> u32 {
    process.0.unsigned_abs()
}

/// Until the kernel has taken it back, the process is there, and holds its files.
const SLOW_TO_END: &str = "hold-memory 200";

/// A second start.
fn is_refused(stage: &Stage, supervisor: Process) {
    let launch = stage.launch(stage.command(PROBE).args(["--pidfile", "pid"]));
    let path = stage.path("pid");
    let line = format!("probe: cannot lock {}: already running as process {}\n", path.display(), supervisor.0);
    assert_eq!((launch.status, launch.stderr), (1, line));
}

#[test]
fn it_names_the_supervisor_and_status_tells_both() {
    let stage = Stage::new();
    let (mut daemon, supervisor) = started(&stage, &[]);
    let pidfile = PidFile::new(stage.path("pid"));
    for _ in 0..3 {
        assert_eq!(stage.read("pid"), content(supervisor));
        let Status::Running { pid, daemon: its, .. } = pidfile.status().expect("a status") else { panic!("it runs") };
        assert_eq!((pid, its), (number(supervisor), Some(number(daemon.process))));
        daemon.send("crash");
        daemon = stage.daemon();
    }
    let said = stage.launch(stage.command(PROBE).args(["--pidfile", "pid", "--obey", "status"]));
    assert_eq!(said.status, 0);
    assert!(said.stdout.starts_with(&format!("probe has been running as process {} since", supervisor.0)), "{said:?}");
    assert!(said.stdout.ends_with(&format!(", which supervises process {}\n", daemon.process.0)), "{said:?}");
}

#[test]
fn before_the_next_daemon_there_is_the_supervisor_alone() {
    let stage = Stage::new();
    let (mut daemon, supervisor) = started(&stage, &["--respawn", "always,10,60000,60000,60000"]);
    daemon.send("crash");
    let pidfile = PidFile::new(stage.path("pid"));
    eventually("the daemon's end", || (!daemon.process.is_alive()).then_some(()));
    eventually("the supervisor alone", || match pidfile.status().expect("a status") {
        Status::Running { pid, daemon: None, .. } if pid == number(supervisor) => Some(()),
        _ => None,
    });
    is_refused(&stage, supervisor);
    assert_eq!(pidfile.stop(DEADLINE).expect("a stop"), Stopped::Terminated);
    assert!(!stage.path("pid").exists() && stage.no_daemon_reported());
}

/// As without the option, where the pidfile names the daemon.
#[test]
fn a_stop_ends_the_first_daemon_while_it_is_starting() {
    for (stop, respawn) in [("--obey stop", Some(AT_ONCE)), ("--obey stop", None), ("", Some(AT_ONCE))] {
        let stage = Stage::new();
        let mut command = stage.command(PROBE);
        command.args(["--pidfile", "pid", "--notify"]);
        respawn.map(|respawn| command.args(["--respawn", respawn]));
        let launcher = stage.start(&mut command);
        let daemon = stage.daemon();
        if stop.is_empty() {
            supervisor(&daemon).signal(Signal::SIGTERM);
        } else {
            let said = stage.launch(stage.command(PROBE).args(["--pidfile", "pid"]).args(stop.split(' ')));
            assert_eq!((said.status, said.stderr.as_str()), (0, ""), "{said:?}");
        }
        let launch = launcher.end();
        let line = "probe: the daemon ended before it was ready: signal: 15 (SIGTERM)\n";
        assert_eq!((launch.status, launch.stderr.as_str()), (143, line), "{respawn:?}");
        assert!(stage.processes().is_empty() && !stage.path("pid").exists());
    }
}

#[test]
fn a_first_daemon_that_ignores_the_request_is_killed() {
    let stage = Stage::new();
    let launcher = stage.start(&mut probe(&stage, &["--notify", "--ignore-signal", "SIGTERM"]));
    let daemon = stage.daemon();
    supervisor(&daemon).signal(Signal::SIGTERM);
    let launch = launcher.end();
    let line = "probe: the daemon was asked to stop before it was ready\n";
    assert_eq!((launch.status, launch.stderr.as_str()), (1, line));
    assert_eq!(stage.processes(), []);
}

#[test]
fn without_the_option_there_is_no_daemon_of_its_own() {
    let stage = Stage::new();
    let _daemon = stage.started(stage.command(PROBE).args(["--pidfile", "pid"]));
    let status = PidFile::new(stage.path("pid")).status().expect("a status");
    assert!(matches!(status, Status::Running { daemon: None, .. }), "{status:?}");
}

#[test]
fn stop_ends_both_and_removes_the_file() {
    for options in [[].as_slice(), &["--user", "nobody"], &["--respawn", "always,1000,1000,1,1"]] {
        if options.contains(&"--user") && !support::is_root() {
            continue;
        }
        let stage = Stage::new();
        stage.open_to_all();
        let (mut daemon, supervisor) = started(&stage, options);
        daemon.send("crash");
        let next = stage.daemon();
        assert_eq!(PidFile::new(stage.path("pid")).stop(DEADLINE).expect("a stop"), Stopped::Terminated);
        assert!(!supervisor.is_alive() && !next.process.is_alive());
        assert_eq!(stage.files(), ["log"], "{options:?}");
        assert!(stage.no_daemon_reported());
    }
}

#[test]
fn stop_kills_both_when_the_time_is_over() {
    let stage = Stage::new();
    let (mut daemon, supervisor) = started(&stage, &["--ignore-signal", "SIGTERM"]);
    assert_eq!(daemon.ask(SLOW_TO_END), "");
    let stopped = PidFile::new(stage.path("pid")).stop(Duration::from_millis(200)).expect("a stop");
    assert_eq!(stopped, Stopped::Killed);
    assert!(!supervisor.is_alive() && !daemon.process.is_alive());
    assert_eq!(stage.files(), ["log"]);
}

#[test]
fn start_stop_daemon_and_a_plain_kill_stop_both() {
    needs_tools!("start-stop-daemon");
    let ways = [
        "start-stop-daemon --stop --pidfile $PWD/pid --exec \"$0\" --retry TERM/10 >/dev/null",
        "kill $(cat pid)",
        "kill -INT $(cat pid)",
    ];
    for way in ways {
        let stage = Stage::new();
        let (daemon, supervisor) = started(&stage, &[]);
        let mut shell = stage.command("sh");
        assert_eq!(stage.launch(shell.args(["-c", way, PROBE])).status, 0, "{way}");
        both_end(&daemon, supervisor);
        assert!(!stage.path("pid").exists(), "{way}");
        assert!(stage.no_daemon_reported(), "{way}");
    }
}

#[test]
fn reload_reaches_the_daemon_and_refuses_one_that_it_would_end() {
    let stage = Stage::new();
    let (mut daemon, _) = started(&stage, &["--handle-signal", "SIGHUP"]);
    assert_eq!(daemon.ask("listen sigaction SIGHUP"), "");
    PidFile::new(stage.path("pid")).reload().expect("a reload");
    eventually("the signal", || (daemon.ask("heard") == "1").then_some(()));

    let stage = Stage::new();
    let (daemon, _) = started(&stage, &[]);
    let error = PidFile::new(stage.path("pid")).reload().expect_err("it would end");
    assert_eq!(error.to_string(), format!("cannot reload process {}: it would end on SIGHUP", daemon.process.0));
    assert!(daemon.process.is_alive());
}

/// Also where `/proc` does not let one look: the record lock tells.
#[test]
fn it_is_the_supervisor_who_holds_the_record_lock() {
    needs_root!();
    needs_tools!("setpriv");
    let stage = Stage::new();
    stage.open_to_all();
    let (mut daemon, supervisor) = started(&stage, &["--user", "nobody"]);
    assert_eq!(daemon.look().descriptors().values().filter(|path| path.ends_with("/pid")).count(), 1);
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace", PROBE]);
    let command = command.current_dir(stage.directory()).args(["--pidfile", "pid", "--obey", "status"]);
    let output = command.output().expect("a status");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(&format!("process {} since", supervisor.0)), "{output:?}");
}

/// A daemon that was taken over has the descriptor, and so the lock that it has in common with the supervisor.
#[test]
fn a_daemon_that_gives_up_the_lock_lets_nobody_in() {
    let stage = Stage::new();
    let (mut daemon, supervisor) = started(&stage, &[]);
    assert_eq!(daemon.ask("unlock pid"), "");
    is_refused(&stage, supervisor);
    let status = PidFile::new(stage.path("pid")).status().expect("a status");
    assert!(matches!(status, Status::Running { .. }), "{status:?}");
}

/// A supervisor that was killed ends the daemon. Until that is gone, nobody else starts.
#[test]
fn no_second_instance_starts_while_the_first_still_runs() {
    let stage = Stage::new();
    stage.open_to_all();
    let user = ["--user", "nobody"];
    for round in 0..times(60) {
        let options = if round % 2 == 0 && nix::unistd::geteuid().is_root() { user.as_slice() } else { &[] };
        let (mut daemon, mut parent) = started(&stage, options);
        if round % 3 == 0 {
            daemon.send("crash");
            daemon = stage.daemon();
        }
        if round % 10 == 0 {
            assert_eq!(daemon.ask(SLOW_TO_END), "");
        }
        parent.signal(Signal::SIGKILL);
        // A busy machine may take longer to end it than a start waits.
        let next = eventually("a start", || {
            let launch = stage.launch(stage.command(PROBE).args(["--pidfile", "pid", "--respawn", AT_ONCE]));
            assert!(launch.status == 0 || launch.stderr.contains("already running as process"), "{launch:?}");
            (launch.status == 0).then(|| stage.daemon())
        });
        assert!(!daemon.process.is_alive(), "round {round}: two at once");
        parent = supervisor(&next);
        assert_eq!(stage.read("pid"), content(parent), "round {round}");
        parent.signal(Signal::SIGKILL);
        within(DEADLINE, || stage.processes().is_empty().then_some(())).expect("no daemon is left");
    }
}
