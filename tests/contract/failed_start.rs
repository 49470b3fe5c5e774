//! A start that fails: the launcher's exit status tells how, and nobody of the daemon's group is left behind.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use support::{Daemon, Launch, Launcher, Process, Stage, Terminal, eventually, needs_root, needs_tools};

use crate::{ARRANGE, PROBE, preload};

/// How long it takes at most to tell what has happened: less than the five seconds that a group has after SIGTERM.
const AT_ONCE: Duration = Duration::from_secs(4);

const WITHOUT_READY: &str = "exited with status 0 without calling `ready`";

/// How a daemon can end before it is ready; the launcher's exit status, and its words for it.
const ENDINGS: [(&str, i32, &str); 10] = [
    ("exit 7", 7, "ended before it was ready: exit status: 7"),
    ("exit 255", 255, "ended before it was ready: exit status: 255"),
    ("exit 0", 1, WITHOUT_READY),
    ("return", 1, WITHOUT_READY),
    ("return no luck", 1, "ended before it was ready: exit status: 1"),
    ("panic no luck", 101, "ended before it was ready: exit status: 101"),
    ("abort", 134, "ended before it was ready: signal: 6 (SIGABRT)"),
    ("crash", 139, "ended before it was ready: signal: 11 (SIGSEGV)"),
    ("raise 40", 168, "ended before it was ready: signal: 40"), // a real-time signal
    ("kill-group SIGTERM", 143, "ended before it was ready: signal: 15 (SIGTERM)"),
];

/// A daemon in `main` that is not ready, and its launcher.
fn starting(stage: &Stage, options: &[&str]) -> (Launcher, Daemon) {
    // A test that runs in the background of a script has SIGINT ignored, POSIX sh 2.11.
    let mut command = stage.command(ARRANGE);
    let launcher = stage.start(command.args(["--default", "SIGINT", "--", PROBE, "--notify"]).args(options));
    (launcher, stage.daemon())
}

/// The result of a launcher that has every reason to end now.
fn end_at_once(launcher: Launcher) -> Launch {
    let start = Instant::now();
    let launch = launcher.end();
    assert!(start.elapsed() < AT_ONCE, "after {:?}: {launch:?}", start.elapsed());
    launch
}

fn last_line(launch: &Launch) -> &str {
    launch.stderr.lines().last().unwrap_or_default()
}

fn nobody_is_left_soon(stage: &Stage) {
    eventually("the end of everybody", || stage.processes().is_empty().then_some(()));
}

/// Every ending of a daemon that did something else before.
fn ends_in_every_way_after(companion: &str) {
    for (ending, status, words) in ENDINGS {
        let stage = Stage::new();
        let (launcher, mut daemon) = starting(&stage, &[]);
        daemon.ask(companion);
        daemon.send(ending);
        let launch = end_at_once(launcher);
        assert_eq!((launch.status, launch.stdout.as_str()), (status, ""), "{ending}: {launch:?}");
        let line = format!("probe: the daemon {words}");
        assert!(last_line(&launch).starts_with(&line), "{ending}: {launch:?}");
        assert_eq!(stage.processes(), [], "left behind after {ending}");
    }
}

#[test]
fn the_launcher_exits_as_the_daemon_did() {
    ends_in_every_way_after("look");
}

#[test]
fn it_does_so_where_a_worker_holds_all_that_the_daemon_had_open() {
    ends_in_every_way_after("fork");
}

#[test]
fn it_does_so_where_a_child_was_spawned() {
    ends_in_every_way_after("spawn");
}

#[test]
fn a_killed_group_takes_its_leader_along() {
    for companion in ["look", "fork", "spawn"] {
        let stage = Stage::new();
        let (launcher, mut daemon) = starting(&stage, &[]);
        daemon.ask(companion);
        daemon.send("kill-group SIGKILL");
        let launch = end_at_once(launcher);
        assert_eq!(launch.status, 137, "{launch:?}");
        assert_eq!(launch.stderr, "probe: the session leader ended before it was ready: signal: 9 (SIGKILL)\n");
        assert_eq!(stage.processes(), [], "left behind");
    }
}

#[test]
fn a_killed_leader_leaves_nobody() {
    for companion in ["look", "fork", "spawn"] {
        let stage = Stage::new();
        let (launcher, mut daemon) = starting(&stage, &[]);
        daemon.ask(companion);
        Process(daemon.process.session()).signal(Signal::SIGKILL);
        let launch = end_at_once(launcher);
        assert_eq!(launch.status, 137, "{launch:?}");
        assert_eq!(launch.stderr, "probe: the session leader ended before it was ready: signal: 9 (SIGKILL)\n");
        assert_eq!(stage.processes(), [], "left behind");
    }
}

#[test]
fn a_killed_leader_leaves_nobody_who_blocks_sigterm() {
    let stage = Stage::new();
    let (launcher, daemon) = starting(&stage, &["--block-signal", "SIGTERM"]);
    Process(daemon.process.session()).signal(Signal::SIGKILL);
    assert_eq!(launcher.end().status, 137);
    nobody_is_left_soon(&stage);
}

/// It closed its socket long before it ended by itself, so its own exit status counts.
#[test]
fn another_program_that_fails_says_so() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    daemon.send("exec-shell trap '' TERM; sleep 1; exit 7");
    let launch = end_at_once(launcher);
    assert_eq!(launch.stderr, "probe: the daemon ended before it was ready: exit status: 7\n");
    assert_eq!(launch.status, 7);
    assert_eq!(stage.processes(), [], "left behind");
}

#[test]
fn another_program_can_never_be_ready() {
    for companion in ["look", "spawn"] {
        let stage = Stage::new();
        let (launcher, mut daemon) = starting(&stage, &[]);
        daemon.ask(companion);
        daemon.send("exec");
        let launch = end_at_once(launcher);
        assert_eq!(launch.status, 1, "{launch:?}");
        let line = "probe: the daemon closed its line to the launcher before it was ready: \
             did it exec another program, or close all its descriptors?\n";
        assert_eq!(launch.stderr, line);
        assert_eq!(stage.processes(), [], "left behind");
    }
}

#[test]
fn another_program_that_ends_tells_its_own_status() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    daemon.send("exec-shell exit 7");
    assert_eq!(end_at_once(launcher).status, 7);
    assert_eq!(stage.processes(), [], "left behind");
}

#[test]
fn a_timeout_ends_everything() {
    let start = Instant::now();
    let starts = ["look", "fork", "spawn", "leave-group"].map(|companion| {
        let stage = Stage::new();
        let (launcher, mut daemon) = starting(&stage, &["--start-timeout", "2000"]);
        daemon.ask(companion);
        (companion, stage, launcher, daemon)
    });
    for (companion, stage, launcher, _daemon) in starts {
        let launch = end_at_once(launcher);
        assert!(start.elapsed() >= Duration::from_secs(2), "{companion}: it did not wait");
        assert_eq!(launch.status, 1, "{companion}: {launch:?}");
        assert_eq!(
            launch.stderr, "probe: the daemon was not ready within 2s: it has not called `ready`\n",
            "{companion}"
        );
        assert_eq!(stage.processes(), [], "left behind: {companion}");
    }
}

#[test]
fn a_timeout_ends_who_takes_no_notice_of_sigterm() {
    let start = Instant::now();
    let starts = [["--block-signal", "SIGTERM"], ["--ignore-signal", "SIGTERM"]].map(|options| {
        let stage = Stage::new();
        let (launcher, daemon) = starting(&stage, &[&["--start-timeout", "100"], &options[..]].concat());
        (stage, launcher, daemon)
    });
    for (stage, launcher, _daemon) in starts {
        let launch = launcher.end();
        assert!(start.elapsed() >= Duration::from_millis(5100), "no time to end by itself");
        assert_eq!(
            (launch.status, launch.stderr.as_str()),
            (1, "probe: the daemon was not ready within 100ms: it has not called `ready`\n")
        );
        nobody_is_left_soon(&stage);
    }
}

#[test]
fn a_timeout_ends_who_left_the_group_and_takes_no_notice_of_sigterm() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &["--start-timeout", "2000", "--ignore-signal", "SIGTERM"]);
    daemon.ask("leave-group");
    let launch = launcher.end();
    assert_eq!(
        (launch.status, launch.stderr.as_str()),
        (1, "probe: the daemon was not ready within 2s: it has not called `ready`\n")
    );
    nobody_is_left_soon(&stage);
}

#[test]
fn a_child_that_takes_no_notice_of_sigterm_is_ended_too() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    daemon.ask(&format!("shell trap '' TERM; echo > {}; sleep 1000", stage.path("trapped").display()));
    eventually("the trap", || stage.path("trapped").exists().then_some(()));
    daemon.send("exit 7");
    assert_eq!(launcher.end().status, 7);
    nobody_is_left_soon(&stage);
}

#[test]
fn a_timeout_ends_a_group_that_is_stopped() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &["--start-timeout", "500"]);
    daemon.send("kill-group SIGSTOP");
    let launch = end_at_once(launcher);
    assert_eq!(
        (launch.status, launch.stderr.as_str()),
        (1, "probe: the daemon was not ready within 500ms: it has not called `ready`\n")
    );
    assert_eq!(stage.processes(), [], "left behind");
}

#[test]
fn nobody_gets_a_stopped_daemon_after_the_launcher_was_ended() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &[]);
    let own = daemon.process;
    daemon.send("kill-group SIGSTOP");
    eventually("the stop", || own.stat(3).filter(|state| state == "T"));
    launcher.process.signal(Signal::SIGKILL);
    assert_eq!(end_at_once(launcher).status, 137);
    nobody_is_left_soon(&stage);
}

#[test]
fn a_timeout_ends_a_daemon_that_is_stopped() {
    let stage = Stage::new();
    let (launcher, daemon) = starting(&stage, &["--start-timeout", "2000"]);
    daemon.process.signal(Signal::SIGSTOP);
    let launch = end_at_once(launcher);
    assert_eq!(
        (launch.status, launch.stderr.as_str()),
        (1, "probe: the daemon was not ready within 2s: it has not called `ready`\n")
    );
    assert_eq!(stage.processes(), [], "left behind");
}

#[test]
fn nobody_gets_a_daemon_after_the_launcher_was_ended() {
    for companion in ["look", "fork", "spawn", "leave-group"] {
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
            let stage = Stage::new();
            let (launcher, mut daemon) = starting(&stage, &[]);
            daemon.ask(companion);
            launcher.process.signal(signal);
            let start = Instant::now();
            assert_eq!(end_at_once(launcher).status, 128 + signal as i32);
            nobody_is_left_soon(&stage);
            assert!(start.elapsed() < AT_ONCE, "{companion}, {signal}: after {:?}", start.elapsed());
        }
    }
}

#[test]
fn nobody_gets_a_daemon_after_ctrl_c() {
    for options in
        [[].as_slice(), &["--handle-signal", "SIGINT"], &["--block-signal", "SIGINT"], &["--ignore-signal", "SIGINT"]]
    {
        let stage = Stage::new();
        let mut terminal = Terminal::open();
        let mut command = stage.command(ARRANGE);
        command
            .arg("--terminal")
            .arg(&terminal.path)
            .args(["--default", "SIGINT", "--", PROBE, "--notify"])
            .args(options);
        let launcher = stage.start(&mut command);
        let _daemon = stage.daemon();
        eventually("the launcher's wait", || is_ended_by(launcher.process, Signal::SIGINT).then_some(()));
        terminal.type_in("\x03");
        assert_eq!(end_at_once(launcher).status, 130, "{options:?}");
        nobody_is_left_soon(&stage);
    }
}

/// Whether it is neither caught nor ignored nor blocked, proc(5).
fn is_ended_by(process: Process, signal: Signal) -> bool {
    ["SigCgt", "SigIgn", "SigBlk"].into_iter().all(|set| {
        let set = process.status(set).expect("its status");
        u64::from_str_radix(&set, 16).expect("a set of signals") & (1 << (signal as i32 - 1)) == 0
    })
}

#[test]
fn what_was_created_goes_with_a_launcher_that_was_ended() {
    what_was_created_goes(&[]);
}

/// From inside the jail, the file could not be found.
#[test]
fn what_was_created_outside_of_a_jail_goes_too() {
    needs_root!();
    what_was_created_goes(&["--chroot", ".", "--connect"]);
}

fn what_was_created_goes(options: &[&str]) {
    let stage = Stage::new();
    let (launcher, daemon) = starting(&stage, &[&["--stdout", "log", "--pidfile", "pid"], options].concat());
    assert_eq!(stage.files(), ["log", "pid"]);
    launcher.process.signal(Signal::SIGKILL);
    assert_eq!(end_at_once(launcher).status, 137);
    nobody_is_left_soon(&stage);
    drop(daemon);
    eventually("the removal of what was created", || stage.files().is_empty().then_some(()));
}

/// After a process was reaped, its number may go to another process at once. So may the number of its group, if no
/// process of ours is in it any more.
#[test]
fn no_signal_goes_to_the_number_of_a_group_that_nobody_keeps() {
    needs_tools!("strace");
    // Killed after its report, killed before it, and ended by itself after a failure.
    for (lie, options, word) in [
        ("ANSWER_KILLS", [].as_slice(), "ready"),
        ("ANSWER_KILLS", &["--block-signal", "SIGTERM"], "ready"),
        ("ANSWER_STOPS", &["--block-signal", "SIGTERM"], "kill-leader"),
        ("ANSWER_STOPS", &[], "exit 7"),
    ] {
        let Some(library) = preload::library(lie) else { return };
        let stage = Stage::new();
        let mut command = stage.command("strace");
        command.args(["-f", "-qq", "-o", "trace", "-e", "trace=kill,wait4,waitid", "-E"]);
        command.arg(format!("LD_PRELOAD={}", library.display())).args(["--", PROBE, "--notify"]).args(options);
        let launcher = stage.start(&mut command);
        let mut daemon = stage.daemon();
        let leader = Process(daemon.process.session());
        let own = leader.parent();
        match word {
            "kill-leader" => leader.signal(Signal::SIGKILL),
            word => daemon.send(word),
        }
        assert_ne!(launcher.end().status, 0);
        nobody_is_left_soon(&stage);
        let signals = signals_to(leader, own, &stage.read("trace"));
        assert!(signals > 0, "{}", stage.read("trace"));
    }
}

/// How many signals that process sent to the group. Each has to come before the leader was reaped, or after a look that
/// found a child in the group.
fn signals_to(Process(leader): Process, from: i32, trace: &str) -> usize {
    let own = trace.lines().filter_map(|line| line.strip_prefix(&from.to_string())).map(str::trim);
    let (mut is_kept, mut signals) = (true, 0);
    for call in own {
        if call.starts_with(&format!("kill(-{leader}, ")) {
            assert!(is_kept, "{call}: {trace}");
            signals += 1;
        } else if call.starts_with(&format!("wait4(-{leader}, ")) {
            is_kept = call.ends_with("= 0");
        } else if call.starts_with(&format!("wait4({leader}, ")) && call.ends_with(&format!("= {leader}")) {
            is_kept = false;
        }
    }
    signals
}
