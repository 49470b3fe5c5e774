//! Only a start that became ready is respawned, and a later daemon that is not ready in time has failed.

use std::{
    fs,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use support::{Process, Stage, eventually, needs_root};

use super::{probe, supervisor};

#[test]
fn a_start_that_fails_is_not_respawned() {
    for (end, status) in [("exit 3", 3), ("crash", 139), ("exit 0", 1)] {
        let stage = Stage::new();
        let launcher = stage.start(&mut probe(&stage, &["--notify"]));
        let mut daemon = stage.daemon();
        daemon.send(end);
        assert_eq!(launcher.end().status, status, "{end}");
        assert_eq!(stage.processes(), []);
        assert!(stage.no_daemon_reported(), "{end}");
    }
}

#[test]
fn the_launcher_is_told_of_the_first_daemon_and_of_no_other() {
    let stage = Stage::new();
    let launcher = stage.start(&mut probe(&stage, &["--notify"]));
    let mut daemon = stage.daemon();
    assert_eq!(daemon.ask("ready-with up"), "");
    let launch = launcher.end();
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (0, "up\n", ""));
    daemon.send("crash");
    let mut next = stage.daemon();
    assert_eq!(next.ask("ready-with up again"), "", "there is nobody to wait for");
}

/// The leader reaps it before it has read all of the report, which counts all the same.
#[test]
fn a_first_daemon_that_ends_while_its_report_is_read_has_been_ready() {
    for has_orphan in [false, true] {
        let stage = Stage::new();
        let leader = leader_of_one_that_ends(&stage, Signal::SIGKILL, has_orphan);
        assert_eq!(supervisor(&stage.daemon()), leader, "{has_orphan}");

        let stage = Stage::new();
        let leader = leader_of_one_that_ends(&stage, Signal::SIGTERM, has_orphan);
        eventually("the end of the supervisor", || (!leader.is_alive()).then_some(()));
        assert!(stage.no_daemon_reported(), "{has_orphan}");
    }
}

/// The daemon ends while it waits for the answer to its report, which the leader has not read. It may leave a child to the
/// leader, which adopts it.
fn leader_of_one_that_ends(stage: &Stage, signal: Signal, has_orphan: bool) -> Process {
    let launcher = stage.start(&mut probe(stage, &["--notify"]));
    let mut first = stage.daemon();
    let leader = supervisor(&first);
    if has_orphan {
        first.ask(&format!("shell sleep 1000 & echo $! >{}", stage.path("orphan").display()));
        let orphan = || stage.read("orphan").trim().parse().ok().map(Process);
        eventually("an orphan", || (orphan()?.stat(4)? == leader.0.to_string()).then_some(()));
    }
    leader.signal(Signal::SIGSTOP);
    eventually("the stop", || (leader.stat(3)? == "T").then_some(()));
    let before = threads(first.process).len();
    assert_eq!(first.ask(&format!("begin-ready-with {}", "x".repeat(3000))), "");
    eventually("a thread that waits for the answer", || {
        let threads = threads(first.process);
        (threads.len() > before && threads.iter().all(|state| state == "S")).then_some(())
    });
    first.process.signal(signal);
    eventually("its end", || (first.process.stat(3)? == "Z").then_some(()));
    leader.signal(Signal::SIGCONT);
    assert_eq!(launcher.end().status, 0);
    let line = format!("process {} ended, signal: {}", first.process.0, signal as i32);
    eventually("a line", || stage.read("log").contains(&line).then_some(()));
    leader
}

/// The states of the threads of a process.
fn threads(process: Process) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{}/task", process.0)).expect("its threads");
    let state = |thread: fs::DirEntry| Process(thread.file_name().to_str()?.parse().ok()?).stat(3);
    threads.filter_map(|thread| state(thread.ok()?)).collect()
}

#[test]
fn ready_does_not_wait_for_a_supervisor_that_is_stopped() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &["--notify", "--ready"]));
    let supervisor = supervisor(&daemon);
    daemon.send("crash");
    let mut next = stage.daemon();
    supervisor.signal(Signal::SIGSTOP);
    eventually("the stop", || (supervisor.stat(3)? == "T").then_some(()));
    let start = Instant::now();
    assert_eq!(next.ask(&format!("ready-with {}", "x".repeat(3000))), "");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    supervisor.signal(Signal::SIGCONT);
}

#[test]
fn a_daemon_that_was_ready_in_time_is_not_late_for_a_supervisor_that_was_stopped() {
    let stage = Stage::new();
    let launcher = stage.start(&mut probe(&stage, &["--notify", "--start-timeout", "1000"]));
    let mut daemon = stage.daemon();
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(launcher.end().status, 0);
    let supervisor = supervisor(&daemon);
    daemon.send("crash");
    let began = Instant::now();
    let mut next = stage.daemon();
    assert_eq!(next.ask("listen sigaction SIGHUP"), "");
    supervisor.signal(Signal::SIGSTOP);
    eventually("the stop", || (supervisor.stat(3)? == "T").then_some(()));
    assert_eq!(next.ask("ready"), "");
    eventually("the end of the time", || (began.elapsed() > Duration::from_millis(1500)).then_some(()));
    supervisor.signal(Signal::SIGCONT);
    supervisor.signal(Signal::SIGHUP);
    eventually("the signal", || (next.ask("heard") == "1").then_some(()));
}

#[test]
fn a_later_daemon_that_is_not_ready_in_time_has_failed() {
    let stage = Stage::new();
    let mut daemon = {
        let launcher = stage.start(&mut probe(&stage, &["--notify", "--start-timeout", "700"]));
        let mut daemon = stage.daemon();
        assert_eq!(daemon.ask("ready"), "");
        assert_eq!(launcher.end().status, 0);
        daemon
    };
    daemon.send("crash");
    let late = stage.daemon();
    let mut next = stage.daemon(); // which is ready
    assert!(!late.process.is_alive());
    assert_eq!(next.ask("ready"), "");
    let line = format!("process {} was not ready within 700ms, and was ended, signal: 15 (SIGTERM)", late.process.0);
    assert!(stage.read("log").contains(&line), "{}", stage.read("log"));
    let began = Instant::now();
    eventually("some more time", || (began.elapsed() > Duration::from_millis(1500)).then_some(()));
    assert!(next.process.is_alive(), "it was ready");
}

#[test]
fn a_later_daemon_that_ends_before_it_is_ready_has_failed_whatever_its_status() {
    let stage = Stage::new();
    let launcher = stage.start(&mut probe(&stage, &["--notify"]));
    let mut daemon = stage.daemon();
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(launcher.end().status, 0);
    daemon.send("crash");
    let mut unready = stage.daemon();
    unready.send("exit 0");
    let mut next = stage.daemon();
    let line =
        format!("process {} ended before it was ready, exit status: 0; the daemon is started", unready.process.0);
    assert!(stage.read("log").contains(&line), "{}", stage.read("log"));
    assert_eq!(next.ask("ready"), "");
    next.send("exit 0");
    eventually("the end of both", || stage.processes().is_empty().then_some(()));
    assert!(stage.no_daemon_reported(), "it was ready, and ended well");
}

/// One that ignores SIGTERM is killed five seconds later.
#[test]
fn a_later_daemon_that_is_late_and_does_not_end_is_killed() {
    let stage = Stage::new();
    let options = ["--notify", "--start-timeout", "500", "--ignore-signal", "SIGTERM"];
    let launcher = stage.start(&mut probe(&stage, &options));
    let mut daemon = stage.daemon();
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(launcher.end().status, 0);
    daemon.send("crash");
    let late = stage.daemon();
    let start = Instant::now();
    let _next = stage.daemon();
    assert!(start.elapsed() > Duration::from_secs(4), "{:?}", start.elapsed());
    assert!(stage.read("log").contains(&format!("process {} was not ready", late.process.0)));
    assert!(stage.read("log").contains("signal: 9 (SIGKILL)"));
}

#[test]
fn a_step_that_fails_later_is_a_failure_and_said_in_the_log() {
    needs_root!();
    let stage = Stage::new();
    stage.open_to_all();
    stage.create_directory("place");
    let place = stage.path("place");
    let options = ["--user", "nobody", "--chdir", &place.display().to_string()];
    let mut daemon = stage.started(&mut probe(&stage, &options));
    fs::remove_dir(&place).expect("remove");
    daemon.send("crash");
    let line = format!("probe: cannot change directory to {} as user nobody: No such file", place.display());
    eventually("the line", || stage.read("log").contains(&line).then_some(()));
    assert!(stage.no_daemon_reported());
    stage.create_directory("place");
    assert_eq!(stage.daemon().sight.get("directory"), place.display().to_string());
}
