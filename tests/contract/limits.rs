//! A daemon that wants to hold its starters up, or to fill their memory: every wait has an end, and every text a limit.

use std::{
    fs,
    os::unix::{fs::MetadataExt, net::UnixDatagram},
    path::PathBuf,
    process,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use support::{Daemon, Launch, Launcher, Process, Stage, eventually, is_root, needs_root, needs_tools, skip};

use crate::{PROBE, preload};

/// How much of a text is read.
const LIMIT: usize = 64 << 10;

/// Longer than it takes the launcher to wait for a leader in vain, ask the group to end, and kill it.
const AT_LAST: Duration = Duration::from_secs(40);

/// A daemon in `main` that is not ready, and its launcher.
fn starting(stage: &Stage, options: &[&str]) -> (Launcher, Daemon) {
    let launcher = stage.start(stage.command(PROBE).arg("--notify").args(options));
    (launcher, stage.daemon())
}

fn leader(daemon: &Daemon) -> Process {
    Process(daemon.process.session())
}

fn stop(process: Process) {
    process.signal(Signal::SIGSTOP);
    eventually("the stop", || process.stat(3).filter(|state| state == "T"));
}

fn nobody_is_left(stage: &Stage) {
    eventually("the end of everybody", || stage.processes().is_empty().then_some(()));
}

const LATE: &str = "probe: the daemon was not ready within 500ms: it has not called `ready`\n";

#[test]
fn half_a_word_is_none() {
    for half in ["0 1", "0 4", "7 1", "7 100"] {
        let stage = Stage::new();
        let (launcher, mut daemon) = starting(&stage, &["--start-timeout", "500"]);
        assert_eq!(daemon.ask(&format!("to-leader {half}")), "");
        let launch = launcher.end();
        assert_eq!((launch.status, launch.stderr.as_str()), (1, LATE), "{half}");
        assert_eq!(stage.processes(), [], "left behind");
    }
}

#[test]
fn behind_half_a_word_the_end_counts() {
    for half in ["0 1", "0 4", "7 1"] {
        let stage = Stage::new();
        let (launcher, mut daemon) = starting(&stage, &[]);
        assert_eq!(daemon.ask(&format!("to-leader {half}")), "");
        daemon.send("exit 9");
        let launch = launcher.end();
        let line = "probe: the daemon ended before it was ready: exit status: 9\n";
        assert_eq!((launch.status, launch.stderr.as_str()), (9, line), "{half}");
    }
}

#[test]
fn behind_half_a_word_the_launchers_end_counts() {
    for half in ["0 1", "7 1"] {
        let stage = Stage::new();
        let (launcher, mut daemon) = starting(&stage, &[]);
        assert_eq!(daemon.ask(&format!("to-leader {half}")), "");
        drop(launcher);
        nobody_is_left(&stage);
    }
}

/// The leader reads the report, and sees the daemon's end before the end of the report.
#[test]
fn an_error_counts_that_comes_with_the_end() {
    needs_root!();
    needs_tools!("strace");
    let Some(library) = preload::library("SETGROUPS_FAILS") else { return };
    let stage = Stage::new();
    let mut command = stage.command("strace");
    command.args(["-f", "-qq", "-o", "trace", "-e", "trace=recvfrom", "-e", "inject=recvfrom:delay_exit=200000", "-E"]);
    command.arg(format!("LD_PRELOAD={}", library.display())).args(["--", PROBE, "--user", "nobody"]);
    let launch = stage.launch(&mut command);
    let line = "probe: cannot set the supplementary groups: Operation not permitted (os error 1)\n";
    assert_eq!((launch.status, launch.stderr.as_str()), (1, line));
}

/// Each byte would be in time if the deadline started again.
#[test]
fn a_word_that_comes_drop_by_drop_is_late() {
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage, &["--start-timeout", "500", "--ignore-signal", "SIGTERM"]);
    let start = Instant::now();
    while daemon.ask("to-leader 7 1").is_empty() {
        assert!(start.elapsed() < Duration::from_secs(4), "after {:?}", start.elapsed());
    }
    daemon.process.signal(Signal::SIGKILL);
    let launch = launcher.end();
    assert_eq!((launch.status, launch.stderr.as_str()), (1, LATE));
}

/// Neither the text after the report counts, nor another process that it names: a manager would watch that process, and
/// end it.
#[test]
fn what_a_daemon_says_of_itself_does_not_count() {
    let stage = Stage::new();
    let manager = UnixDatagram::bind(stage.path("manager")).expect("bind");
    let mut command = stage.command(PROBE);
    command.args(["--notify", "--detach", "always"]).env("NOTIFY_SOCKET", stage.path("manager"));
    let launcher = stage.start(&mut command);
    let mut daemon = stage.daemon();
    let _ = daemon.ask("to-leader 0 100000"); // the leader leaves with the first bytes, maybe before the last are written
    assert_eq!(launcher.end().status, 0);
    let mut heard = [0; 64];
    let length = manager.recv(&mut heard).expect("word");
    assert_eq!(String::from_utf8_lossy(&heard[..length]), format!("MAINPID={}\nREADY=1", daemon.process.0));
}

/// How much memory a process's open file takes, by the number of its descriptor.
fn memory_of(process: Process, number: i32) -> Option<u64> {
    Some(fs::metadata(format!("/proc/{}/fd/{number}", process.0)).ok()?.blocks() * 512)
}

/// The five seconds that it has after SIGTERM are enough to fill any memory.
#[test]
fn nor_does_it_fill_memory_while_it_is_ended() {
    let stage = Stage::new();
    let options = ["--start-timeout", "300", "--ignore-signal", "SIGTERM"];
    let (launcher, mut daemon) = starting(&stage, &options);
    eventually("the end of the time", || match daemon.ask("to-leader 7 1").as_str() {
        "" => None,
        _ => Some(()),
    });
    assert_eq!(daemon.ask("fill-stderr 100"), "");
    let most = (LIMIT + 4096) as u64;
    eventually("the memory", || (memory_of(daemon.process, 2)? <= most).then_some(()));
    daemon.process.signal(Signal::SIGKILL);
    assert_eq!(launcher.end().status, 1);
}

#[test]
fn a_leader_that_the_daemon_stops_sees_no_time_pass() {
    let stage = Stage::new();
    let (launcher, daemon) = starting(&stage, &["--start-timeout", "500"]);
    stop(leader(&daemon));
    let start = Instant::now();
    let launch = launcher.end();
    assert!(start.elapsed() < Duration::from_secs(4), "after {:?}", start.elapsed());
    assert_eq!((launch.status, launch.stderr.as_str()), (1, LATE));
    assert_eq!(stage.processes(), [], "left behind");
}

/// A start in which the leader does this before it answers `ready()`.
fn answering(stage: &Stage, lie: &str, options: &[&str]) -> Option<(Launcher, Daemon)> {
    let library = preload::library(lie)?;
    let launcher = stage.start(stage.command(PROBE).env("LD_PRELOAD", library).arg("--notify").args(options));
    Some((launcher, stage.daemon()))
}

#[test]
fn a_leader_that_is_stopped_before_its_answer_is_continued() {
    let stage = Stage::new();
    let Some((launcher, mut daemon)) = answering(&stage, "ANSWER_STOPS", &[]) else { return };
    assert_eq!(daemon.ask("ready"), "");
    let launch = launcher.end();
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    assert_eq!(stage.processes(), [daemon.process]);
}

#[test]
fn a_leader_that_is_killed_before_its_answer_takes_all_along() {
    let stage = Stage::new();
    let Some((launcher, mut daemon)) = answering(&stage, "ANSWER_KILLS", &[]) else { return };
    daemon.send("ready");
    let launch = launcher.end();
    assert_eq!(launch.status, 137, "{launch:?}");
    assert_eq!(stage.processes(), [], "left behind");
}

/// A control group that freezes who is in it: not even SIGKILL ends it there, with the first version of the hierarchy.
struct Freezer {
    group: PathBuf,
    state: [(&'static str, &'static str); 2],
}

impl Freezer {
    fn new(name: &str) -> Option<Self> {
        if !is_root() {
            return None;
        }
        let first = ("/sys/fs/cgroup/freezer", [("freezer.state", "FROZEN"), ("freezer.state", "THAWED")]);
        let second = ("/sys/fs/cgroup", [("cgroup.freeze", "1"), ("cgroup.freeze", "0")]);
        let mut found = [first, second].into_iter().filter_map(|(root, state)| {
            let group = PathBuf::from(root).join(format!("limits-{name}-{}", process::id()));
            fs::create_dir(&group).ok()?;
            let freezer = Self { group, state };
            freezer.group.join(state[0].0).exists().then_some(freezer)
        });
        let freezer = found.next();
        if freezer.is_none() {
            skip("a control group that can be frozen");
        }
        freezer
    }

    fn freeze(&self, process: Process) {
        fs::write(self.group.join("cgroup.procs"), process.0.to_string()).expect("join the group");
        self.set(0);
    }

    fn set(&self, state: usize) {
        let (file, word) = self.state[state];
        fs::write(self.group.join(file), word).expect("set the state");
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        if self.group.join(self.state[1].0).exists() {
            self.set(1);
        }
        eventually("an empty control group", || fs::remove_dir(&self.group).ok());
    }
}

fn ends_at_last(launcher: Launcher) -> Launch {
    launcher.end_within(AT_LAST).expect("the launcher's end")
}

#[test]
fn a_leader_that_is_frozen_is_not_waited_for() {
    let Some(freezer) = Freezer::new("before") else { return };
    let stage = Stage::new();
    let (launcher, daemon) = starting(&stage, &["--start-timeout", "500"]);
    freezer.freeze(leader(&daemon));
    let launch = ends_at_last(launcher);
    assert_eq!((launch.status, launch.stderr.as_str()), (1, "probe: the session leader did not report in time\n"));
    drop(freezer);
    nobody_is_left(&stage);
}

/// The daemon may not know that it is ready: it is ended, and `ready()` fails.
#[test]
fn nor_is_one_that_is_frozen_before_its_answer() {
    let Some(freezer) = Freezer::new("behind") else { return };
    let stage = Stage::new();
    let options = ["--start-timeout", "2000", "--block-signal", "SIGTERM"];
    let Some((launcher, mut daemon)) = answering(&stage, "ANSWER_STOPS", &options) else { return };
    assert_eq!(daemon.ask("leave-group"), ""); // or it would be killed, and nobody could ask it
    let leader = leader_of(&launcher);
    daemon.send("ready");
    eventually("the stop", || leader.stat(3).filter(|state| state == "T"));
    freezer.freeze(leader);
    let launch = ends_at_last(launcher);
    assert_eq!((launch.status, launch.stderr.as_str()), (1, "probe: the session leader did not end in time\n"));
    assert_eq!(daemon.answer(), "error: cannot report readiness: the launcher has gone");
    drop((freezer, daemon));
    nobody_is_left(&stage);
}

/// The launcher's child.
fn leader_of(launcher: &Launcher) -> Process {
    let Process(id) = launcher.process;
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("its children");
    Process(children.trim().parse().expect("one child"))
}
