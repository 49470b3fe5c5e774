//! Many starts at the same moment, and many one after the other: each daemon is one of its own, and nothing piles up.

use std::{collections::BTreeSet, fs, sync::Barrier, thread, time::Duration};

use daemon_rt::{PidFile, Status, Stopped};
use support::{Daemon, Launch, Process, Stage};

use crate::{PROBE, alone};

const STARTS: usize = 200;

/// A start and a stop each.
const ROUNDS: usize = 1000;

/// What must not become more.
#[derive(Debug, PartialEq, Eq)]
struct Inventory {
    /// Zombies, too: this process is a subreaper, and reaps only the daemons.
    children: BTreeSet<i32>,
    processes: usize,
    descriptors: usize,
    files: Vec<String>,
    temporary_files: usize,
}

impl Inventory {
    fn of(stage: &Stage) -> Self {
        let processes = entries("/proc").filter_map(|name| name.parse().ok()).map(Process);
        let own = Some(Process::own().0.to_string());
        Self {
            children: processes.filter(|process| process.stat(4) == own).map(|process| process.0).collect(),
            processes: stage.processes().len(),
            descriptors: entries("/proc/thread-self/fd").count(),
            files: stage.files(),
            temporary_files: entries(&stage.path("temporary").to_string_lossy()).count(),
        }
    }
}

fn entries(directory: &str) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(directory).expect("read a directory");
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

fn stage() -> Stage {
    let stage = Stage::new();
    stage.create_directory("temporary");
    stage
}

fn launch(stage: &Stage, options: &[&str]) -> Launch {
    stage.launch(stage.command(PROBE).env("TMPDIR", stage.path("temporary")).args(options))
}

fn launch_at_once(stage: &Stage, options: &[&str]) -> Vec<Launch> {
    let gate = Barrier::new(STARTS);
    thread::scope(|scope| {
        let start = || {
            gate.wait();
            launch(stage, options)
        };
        let starts: Vec<_> = (0..STARTS).map(|_| scope.spawn(start)).collect();
        starts.into_iter().map(|start| start.join().expect("a launch")).collect()
    })
}

fn end(mut daemon: Daemon) {
    daemon.send("exit 0");
    daemon.wait();
}

#[test]
fn starts_without_a_pidfile() {
    let _alone = alone();
    let stage = stage();
    let before = Inventory::of(&stage);
    for launch in launch_at_once(&stage, &["--notify", "--ready"]) {
        assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    }
    let daemons: Vec<_> = (0..STARTS).map(|_| stage.daemon()).collect();
    assert!(stage.no_daemon_reported());
    let sessions: BTreeSet<_> = daemons.iter().map(|daemon| daemon.process.session()).collect();
    assert_eq!(sessions.len(), STARTS, "each has a session of its own");
    assert_eq!(stage.processes().len(), STARTS);
    daemons.into_iter().for_each(end);
    assert_eq!(Inventory::of(&stage), before);
}

#[test]
fn starts_with_one_pidfile() {
    let _alone = alone();
    let stage = stage();
    let before = Inventory::of(&stage);
    let launches = launch_at_once(&stage, &["--pidfile", "pid", "--stdout", "log"]);
    let daemon = stage.daemon();
    let (won, lost): (Vec<_>, Vec<_>) = launches.into_iter().partition(|launch| launch.status == 0);
    assert_eq!((won.len(), won[0].stderr.as_str()), (1, ""));
    let (path, number) = (stage.path("pid"), daemon.process.0);
    let line = format!("probe: cannot lock {}: already running as process {number}\n", path.display());
    for launch in lost {
        assert_eq!((launch.status, &launch.stderr), (1, &line));
    }
    assert!(stage.no_daemon_reported());
    assert_eq!(stage.processes(), [daemon.process]);
    assert!(matches!(PidFile::new(&path).status(), Ok(Status::Running { pid, .. }) if pid == number.unsigned_abs()));
    end(daemon);
    fs::remove_file(stage.path("log")).expect("a log");
    assert_eq!(Inventory::of(&stage), before);
}

#[test]
fn starts_and_stops() {
    let _alone = alone();
    let stage = stage();
    let pidfile = PidFile::new(stage.path("pid"));
    fs::write(stage.path("log"), "").expect("write");
    let before = Inventory::of(&stage);
    let mut descriptors = None;
    for round in 0..ROUNDS {
        let options: &[&str] = if round % 2 == 0 { &["--stdout", "log"] } else { &["--notify", "--ready"] };
        let launch = launch(&stage, &[&["--pidfile", "pid"], options].concat());
        assert_eq!((launch.status, launch.stderr.as_str()), (0, ""), "round {round}");
        let daemon = stage.daemon();
        let open = entries(&format!("/proc/{}/fd", daemon.process.0)).count();
        assert_eq!(*descriptors.get_or_insert(open), open, "round {round}");
        assert_eq!(pidfile.stop(Duration::from_secs(10)).expect("a stop"), Stopped::Terminated, "round {round}");
        daemon.wait();
        drop(daemon);
        if round % 100 == 99 {
            assert_eq!(Inventory::of(&stage), before, "round {round}");
        }
    }
}
