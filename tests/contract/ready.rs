//! Readiness: until when a launcher waits, and what `ready()` returns.

use std::{
    collections::BTreeSet,
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use support::{DEADLINE, Daemon, Launcher, Process, Stage, eventually, skip};

use crate::PROBE;

/// A daemon in `main` that has not said that it is ready, and its launcher.
fn starting(stage: &Stage, options: &[&str]) -> (Launcher, Daemon) {
    let launcher = stage.start(stage.command(PROBE).arg("--notify").args(options));
    (launcher, stage.daemon())
}

#[test]
fn the_launcher_waits_until_the_daemon_is_ready() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    for _ in 0..100 {
        daemon.look();
        assert!(launcher.process.is_alive(), "it did not wait");
    }
    assert_eq!(daemon.ask("ready"), "");
    let launch = launcher.end();
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (0, "", ""));
    assert_eq!(stage.processes(), [daemon.process], "the daemon, and nobody else");
    daemon.look();
}

#[test]
fn a_ready_that_gets_no_answer_is_none() {
    let stage = Stage::new();
    let mut command = stage.command("strace");
    // The leader's second message is its answer. It is killed instead of sending it.
    command.args(["-f", "-qq", "-o", "trace", "-e", "trace=sendto", "-e", "inject=sendto:signal=SIGKILL:when=2"]);
    if stage.command("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return skip("strace");
    }
    let launcher = stage.start(command.args(["--", PROBE, "--notify"]));
    let mut daemon = stage.daemon();
    daemon.send("ready");
    assert_eq!(launcher.end().status, 137);
    eventually("the end of everybody", || stage.processes().is_empty().then_some(()));
}

#[test]
fn the_launcher_knows_when_ready_returns() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    assert_eq!(daemon.ask("ready"), "");
    daemon.send("exit 7");
    assert_eq!(launcher.end().status, 0, "what comes later is another matter");
}

#[test]
fn without_notify_it_is_ready_when_main_begins() {
    let stage = Stage::new();
    assert_eq!(stage.launch(&mut stage.command(PROBE)).status, 0);
    let mut daemon = stage.daemon();
    assert_eq!(daemon.ask("ready"), "");
}

#[test]
fn in_setup_it_is_an_error_at_once() {
    for options in [[].as_slice(), &["--notify"], &["--detach", "never"]] {
        let stage = Stage::new();
        let line = "probe: cannot report readiness in `setup`, before the start: call `ready` in `main`";
        stage.refuses(stage.command(PROBE).args(options).arg("--ready-in-setup"), line);
    }
}

#[test]
fn any_thread_may_say_it_and_more_than_once() {
    for [first, second] in [["ready", "ready"], ["ready-in-thread", "ready"], ["ready", "ready-in-thread"]] {
        let stage = Stage::new();
        let (launcher, mut daemon) = starting(&stage, &[]);
        assert_eq!(daemon.ask(first), "");
        assert_eq!(daemon.ask(second), "");
        assert_eq!(launcher.end().status, 0);
    }
}

#[test]
fn in_the_foreground_nobody_waits_for_it() {
    let stage = Stage::new();
    let (launcher, mut program) = starting(&stage, &["--foreground"]);
    assert_eq!(program.process, launcher.process, "it forked");
    assert_eq!(program.ask("ready"), "");
    assert_eq!(program.ask("ready"), "");
    program.send("return");
    assert_eq!(launcher.end().status, 0);
}

/// `x=$(program 2>&1)` waits for the end of both pipes.
#[test]
fn whoever_was_started_before_it_holds_no_pipe_of_the_launchers() {
    for company in ["spawn", "fork"] {
        let stage = Stage::new();
        let (launcher, mut daemon) = starting(&stage, &[]);
        let companion: i32 = daemon.ask(company).parse().expect("a process id");
        assert_eq!(daemon.ask("ready"), "");
        assert_eq!(launcher.end().status, 0);
        // A process is not seen while it is in the middle of an exec.
        eventually("both of them", || {
            let alive: BTreeSet<_> = stage.processes().into_iter().map(|process| process.0).collect();
            (alive == BTreeSet::from([daemon.process.0, companion])).then_some(())
        });
    }
}

#[test]
fn it_returns_when_the_launcher_knows() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    let leader = stop_leader(&daemon);
    daemon.send("ready-in-thread");
    eventually("a thread that waits", || all_sleep(&daemon, 2).then_some(()));
    assert!(launcher.process.is_alive());
    leader.signal(Signal::SIGCONT);
    assert_eq!(daemon.answer(), "");
    assert_eq!(launcher.end().status, 0);
}

/// What it is sent meanwhile, it reads when it continues.
#[test]
fn it_does_not_wait_for_a_launcher_that_is_stopped() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    launcher.process.signal(Signal::SIGSTOP);
    eventually("the stop", || launcher.process.stat(3).filter(|state| state == "T"));
    let start = Instant::now();
    assert_eq!(daemon.ask("ready"), "");
    assert!(start.elapsed() < Duration::from_secs(4), "after {:?}", start.elapsed());
    launcher.process.signal(Signal::SIGCONT);
    assert_eq!(launcher.end().status, 0);
}

#[test]
fn it_errs_when_the_launcher_went_meanwhile() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &["--block-signal", "SIGTERM"]);
    let leader = stop_leader(&daemon);
    daemon.send("ready-in-thread");
    eventually("a thread that waits", || all_sleep(&daemon, 2).then_some(()));
    drop(launcher);
    leader.signal(Signal::SIGCONT);
    assert_eq!(daemon.answer(), "error: cannot report readiness: the launcher has gone");
}

/// Nobody gets a daemon that they were not told about.
#[test]
fn it_errs_when_the_launcher_went_before_it_knew() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    kill_when_the_leader_reported(launcher.process, &mut daemon);
    assert_eq!(launcher.end().status, 137);
    eventually("the daemon's end", || (!daemon.process.is_alive()).then_some(()));
}

/// The launcher is stopped meanwhile: the report is on its way, and not read.
pub(crate) fn kill_when_the_leader_reported(launcher: Process, daemon: &mut Daemon) {
    stop(launcher);
    let leader = Process(daemon.process.session());
    daemon.send("ready");
    eventually("the report", || (!waits_for_the_daemon(leader)).then_some(()));
    launcher.signal(Signal::SIGKILL);
}

/// By ppoll(2). A process that runs right now has no number there, proc(5).
fn waits_for_the_daemon(leader: Process) -> bool {
    let call = fs::read_to_string(format!("/proc/{}/syscall", leader.0)).unwrap_or_default();
    ["running", &nix::libc::SYS_ppoll.to_string()].contains(&call.split_whitespace().next().unwrap_or_default())
}

/// A daemon whose `ready()` failed is not one that the launcher reports. Both it and the leader are stopped for longer than
/// the daemon waits.
#[test]
fn the_launcher_hears_of_a_daemon_that_waited_too_long() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &["--start-timeout", "1000"]);
    stop(launcher.process);
    let leader = stop_leader(&daemon);
    daemon.send("ready");
    let answer = daemon.answer_within(2 * DEADLINE);
    assert_eq!(answer, "error: cannot report readiness: the launcher has gone");
    leader.signal(Signal::SIGCONT);
    launcher.process.signal(Signal::SIGCONT);
    let launch = launcher.end();
    assert_eq!(launch.status, 1, "{launch:?}");
    assert_eq!(stage.processes(), [], "left behind");
}

/// The daemon is ready from then on, and the exit status must say so.
#[test]
fn ctrl_c_is_too_late_once_the_launcher_has_answered() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    stop(launcher.process);
    let leader = Process(daemon.process.session());
    daemon.send("ready");
    eventually("the report", || (!waits_for_the_daemon(leader)).then_some(()));
    leader.signal(Signal::SIGSTOP);
    let before = launcher.process.status("SigIgn");
    launcher.process.signal(Signal::SIGCONT);
    eventually("the answer", || (launcher.process.status("SigIgn") != before).then_some(()));
    launcher.process.signal(Signal::SIGINT);
    assert_eq!((daemon.answer(), launcher.end().status), (String::new(), 0));
}

#[test]
fn a_word_of_any_length_is_no_reason_to_fail() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    assert_eq!(daemon.ask(&format!("ready-with {}", "x".repeat(4 << 20))), "");
    assert_eq!(launcher.end().status, 0);
}

/// A program may have given SIGPIPE its default action.
#[test]
fn a_pipe_that_nobody_reads_changes_no_exit_status() {
    let closed = "mkfifo fifo && exec 4<>fifo 5>fifo 4<&- && \"$0\" \"$@\" >&5 2>&5 5>&-; echo $?";
    for (ending, status) in [("ready-with listening", "0\n"), ("exit 7", "7\n")] {
        for options in [&["--detach", "always"][..], &["--foreground"]] {
            let stage = Stage::new();
            let mut command = stage.command("sh");
            command.args(["-c", closed, PROBE, "--notify", "--default-signal", "SIGPIPE"]).args(options);
            let launcher = stage.start(&mut command);
            let mut daemon = stage.daemon();
            daemon.send(ending);
            if ending.starts_with("ready") {
                assert_eq!(daemon.answer(), "");
                daemon.send("return");
            }
            assert_eq!(launcher.end().stdout, status, "{ending} {options:?}");
        }
    }
}

fn stop(process: Process) {
    process.signal(Signal::SIGSTOP);
    eventually("the stop", || process.stat(3).filter(|state| state == "T"));
}

fn stop_leader(daemon: &Daemon) -> Process {
    let leader = Process(daemon.process.session());
    leader.signal(Signal::SIGSTOP);
    eventually("a leader that is stopped", || (leader.stat(3)? == "T").then_some(()));
    leader
}

/// Whether it has as many threads, and each waits for something.
fn all_sleep(daemon: &Daemon, threads: usize) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.process.0)).expect("its threads");
    let states: Vec<_> =
        tasks.filter_map(|task| Process(task.ok()?.file_name().to_str()?.parse().ok()?).stat(3)).collect();
    states == vec!["S"; threads]
}

#[test]
fn it_is_too_late_when_the_launcher_has_gone() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &["--block-signal", "SIGTERM"]);
    drop(launcher); // a SIGKILL; its output stays open until the leader has ended the daemon
    for _ in 0..2 {
        assert_eq!(daemon.ask("ready"), "error: cannot report readiness: the launcher has gone");
    }
    eventually("the daemon's end", || stage.processes().is_empty().then_some(()));
}

#[test]
fn it_is_too_late_when_the_time_is_over() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &["--block-signal", "SIGTERM", "--start-timeout", "50"]);
    eventually("the SIGTERM that it blocks", || daemon.process.has_pending(Signal::SIGTERM).then_some(()));
    for _ in 0..2 {
        assert_eq!(daemon.ask("ready"), "error: cannot report readiness: the launcher has gone");
    }
    let launch = launcher.end();
    assert_eq!(
        (launch.status, launch.stderr.as_str()),
        (1, "probe: the daemon was not ready within 50ms: it has not called `ready`\n")
    );
    eventually("the daemon's end", || stage.processes().is_empty().then_some(()));
}

#[test]
fn a_process_is_one_daemon_only() {
    for options in [["--stderr", "log", "--notify"].as_slice(), &["--foreground"]] {
        let stage = Stage::new();
        let launcher = stage.start(stage.command(PROBE).args(options));
        let mut daemon = stage.daemon();
        assert_eq!(daemon.ask("run-again"), "ExitCode(unix_exit_status(1))");
        assert_eq!(daemon.ask("ready"), "", "the first start went on");
        daemon.send("return");
        let launch = launcher.end();
        assert_eq!((launch.status, launch.stdout.as_str()), (0, ""));
        let said = launch.stderr + &stage.read("log");
        assert_eq!(said, "probe: cannot start a second daemon in one process\n");
    }
}
