//! The command line of a daemon, for a daemon that never ran, runs, starts, hangs, is dead, or belongs to somebody
//! else.

use std::{
    fs::{self, File, Permissions},
    net::{TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{PermissionsExt, chown},
            process::CommandExt,
        },
    },
    process::Command,
    thread,
};

use nix::{
    fcntl::{Flock, FlockArg},
    libc::SIGXFSZ,
    sys::{signal::Signal, wait::WaitStatus},
};
use support::{Daemon, Launch, Process, Stage, needs_root};

use crate::PROBE;

const WORDS: [&str; 6] = ["start", "run", "stop", "restart", "reload", "status"];

/// The user who has nothing.
const NOBODY: u32 = 65534;

const SIGHUP_IS_HANDLED: [&str; 2] = ["--handle-signal", "SIGHUP"];

fn probe(stage: &Stage, options: &[&str], word: &str) -> Command {
    let mut command = stage.command(PROBE);
    command.args(options).args(["--pidfile", "pid", "--obey", word]);
    command
}

fn started(stage: &Stage, options: &[&str]) -> Daemon {
    stage.started(&mut probe(stage, options, "start"))
}

/// Ends what a test is about. The daemon is a child of the test.
fn end(daemon: &mut Daemon) {
    daemon.send("exit 0");
    daemon.wait();
}

#[track_caller]
fn answers(launch: &Launch, status: i32, text: &str) {
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (status, &*format!("{text}\n"), ""));
}

#[track_caller]
fn complains(launch: &Launch, status: i32, text: &str) {
    let line = format!("probe: {text}\n");
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (status, "", line.as_str()));
}

/// In a test where `pid` is the pidfile.
fn path(stage: &Stage) -> String {
    stage.path("pid").display().to_string()
}

/// The answer of `status`, without the time.
#[track_caller]
fn is_said_to_run(stage: &Stage, process: Process) {
    let launch = stage.launch(&mut probe(stage, &[], "status"));
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    let line = format!("probe has been running as process {} since 20", process.0);
    let since = launch.stdout.strip_prefix(&line).unwrap_or_else(|| panic!("{launch:?}"));
    let digits = since.replace(|digit: char| digit.is_ascii_digit(), "0");
    assert_eq!(digits, "00-00-00T00:00:00Z\n");
}

#[test]
fn one_that_never_ran() {
    let stage = Stage::new();
    let launch = |word| stage.launch(&mut probe(&stage, &[], word));
    answers(&launch("status"), 3, "probe is not running");
    answers(&launch("stop"), 0, "probe was not running");
    complains(&launch("reload"), 7, &format!("no running daemon holds {}", path(&stage)));
    assert_eq!(stage.files(), Vec::<String>::new());

    answers(&launch("restart"), 0, "probe was not running");
    let mut daemon = stage.daemon();
    is_said_to_run(&stage, daemon.process);
    end(&mut daemon);

    let mut daemon = started(&stage, &[]);
    assert_eq!(daemon.process.session(), daemon.process.group());
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
    end(&mut daemon);
}

#[test]
fn one_that_is_to_stay_in_the_foreground() {
    let stage = Stage::new();
    // Whatever `detach` says.
    let mut child = probe(&stage, &["--detach", "always"], "run").spawn().expect("start the program");
    let mut daemon = stage.daemon();
    assert_eq!(daemon.process.0.unsigned_abs(), child.id());
    is_said_to_run(&stage, daemon.process);
    daemon.send("exit 0");
    assert!(child.wait().expect("wait").success());
    assert_eq!(stage.files(), Vec::<String>::new());
}

#[test]
fn one_that_runs() {
    let stage = Stage::new();
    let launch = |word| stage.launch(&mut probe(&stage, &SIGHUP_IS_HANDLED, word));
    let mut daemon = started(&stage, &SIGHUP_IS_HANDLED);
    let process = daemon.process;
    is_said_to_run(&stage, process);
    for word in ["start", "run"] {
        complains(&launch(word), 1, &format!("cannot lock {}: already running as process {}", path(&stage), process.0));
    }
    let reloaded = launch("reload");
    assert_eq!((reloaded.status, reloaded.stdout.as_str(), reloaded.stderr.as_str()), (0, "", ""));
    daemon.look();

    answers(&launch("restart"), 0, "probe has ended");
    assert!(!process.is_alive());
    let second = stage.daemon();
    assert_ne!(second.process, process);
    is_said_to_run(&stage, second.process);

    answers(&launch("stop"), 0, "probe has ended");
    assert!(!second.process.is_alive());
    assert!(matches!(second.wait(), WaitStatus::Signaled(_, Signal::SIGTERM, _)));
    assert_eq!(stage.files(), Vec::<String>::new());
}

#[test]
fn one_that_a_reload_would_end() {
    let stage = Stage::new();
    let mut daemon = started(&stage, &[]);
    let why = format!("cannot reload process {}: it would end on SIGHUP", daemon.process.0);
    complains(&stage.launch(&mut probe(&stage, &[], "reload")), 3, &why);
    daemon.look();
    end(&mut daemon);
}

/// It has written its number, and is not ready yet. Its launcher learns that it was ended.
#[test]
fn one_that_starts() {
    for (word, is_started_again) in [("stop", false), ("restart", true)] {
        let stage = Stage::new();
        let launcher = stage.start(&mut probe(&stage, &["--notify"], "start"));
        let daemon = stage.daemon();
        is_said_to_run(&stage, daemon.process);
        answers(&stage.launch(&mut probe(&stage, &[], word)), 0, "probe has ended");
        assert!(!daemon.process.is_alive());
        complains(&launcher.end(), 143, "the daemon ended before it was ready: signal: 15 (SIGTERM)");
        if is_started_again {
            end(&mut stage.daemon());
        }
        assert_eq!(stage.files(), Vec::<String>::new());
    }
}

#[test]
fn one_that_starts_and_has_not_written_its_number() {
    let stage = Stage::new();
    let held = Flock::lock(stage.create("pid"), FlockArg::LockExclusiveNonblock).expect("a lock");
    let launch = |word| stage.launch(&mut probe(&stage, &[], word));
    answers(&launch("status"), 0, "probe is starting");
    // Each of them waits for the number.
    thread::scope(|scope| {
        let launches = ["stop", "restart", "reload"].map(|word| scope.spawn(move || launch(word)));
        let why = format!("cannot tell who holds {}: it names no process yet", path(&stage));
        for launch in launches {
            complains(&launch.join().expect("a launch"), 1, &why);
        }
    });
    drop(held);
}

#[test]
fn one_that_hangs() {
    for word in ["stop", "restart"] {
        let stage = Stage::new();
        let daemon = started(&stage, &["--ignore-signal", "SIGTERM"]);
        let launch = stage.launch(&mut probe(&stage, &[], word));
        answers(&launch, 0, "probe did not end within 10s, and was killed");
        assert!(matches!(daemon.wait(), WaitStatus::Signaled(_, Signal::SIGKILL, _)));
        if word == "restart" {
            end(&mut stage.daemon());
        }
        assert_eq!(stage.files(), Vec::<String>::new());
    }
}

#[test]
fn one_that_is_dead_and_left_its_file() {
    let stage = Stage::new();
    let launch = |word| stage.launch(&mut probe(&stage, &[], word));
    let left_behind = format!("probe is not running, and left {} behind", path(&stage));
    let kill = |daemon: Daemon| {
        daemon.process.signal(Signal::SIGKILL);
        daemon.wait();
    };
    kill(started(&stage, &[]));
    answers(&launch("status"), 1, &left_behind);
    answers(&launch("stop"), 0, "probe was not running");
    complains(&launch("reload"), 7, &format!("no running daemon holds {}", path(&stage)));
    answers(&launch("status"), 1, &left_behind);

    answers(&launch("restart"), 0, "probe was not running");
    kill(stage.daemon());
    let mut daemon = started(&stage, &[]);
    is_said_to_run(&stage, daemon.process);
    end(&mut daemon);
}

#[test]
fn one_that_is_somebody_elses() {
    needs_root!();
    let stage = Stage::new();
    let mut daemon = started(&stage, &SIGHUP_IS_HANDLED);
    stage.open_to_all();
    let copy = stage.copy(PROBE);
    let launch = |word| {
        let mut command = stage.command(&copy);
        stage.launch(command.args(["--pidfile", "pid", "--obey", word]).uid(NOBODY).gid(NOBODY))
    };
    let denied = "Permission denied (os error 13)";
    let unknown = format!("cannot tell whether probe is running: cannot open {}: {denied}", path(&stage));
    answers(&launch("status"), 4, &unknown);
    for word in ["stop", "restart", "reload"] {
        complains(&launch(word), 4, &format!("cannot open {}: {denied}", path(&stage)));
    }
    for word in ["start", "run"] {
        complains(&launch(word), 1, &format!("cannot lock {}: {denied}", path(&stage)));
    }

    // Somebody may read the file, and not signal the process.
    chown(stage.path("pid"), Some(NOBODY), None).expect("give it away");
    for word in ["stop", "restart", "reload"] {
        let why = format!("cannot signal process {}: Operation not permitted (os error 1)", daemon.process.0);
        complains(&launch(word), 4, &why);
    }
    assert_eq!(launch("status").status, 0);
    daemon.look();
    end(&mut daemon);
}

#[test]
fn a_file_that_is_no_pidfile() {
    let stage = Stage::new();
    stage.create_directory("pid");
    let launch = |word| stage.launch(&mut probe(&stage, &[], word));
    let why = format!("cannot open {}: it is not a regular file", path(&stage));
    answers(&launch("status"), 4, &format!("cannot tell whether probe is running: {why}"));
    for word in ["stop", "restart", "reload"] {
        complains(&launch(word), 1, &why);
    }
}

#[test]
fn mistakes_of_the_program() {
    let stage = Stage::new();
    for word in WORDS {
        let unset = format!("probe: cannot obey `{word}`: the option `pidfile` is not set");
        stage.refuses(stage.command(PROBE).args(["--obey", word]), &unset);
        let locked =
            format!("probe: cannot obey `{word}`: this start has locked the pidfile; call `obey` before `lock`");
        stage.refuses(stage.command(PROBE).args(["--pidfile", "pid", "--lock", "--obey", word]), &locked);
        stage.refuses(stage.command(PROBE).args(["--pidfile", "", "--obey", word]), "probe: `pidfile` is empty");
    }
    let unknown = "probe: unknown command `strat`; expected one of start, run, stop, restart, reload, upgrade, status";
    stage.refuses(&mut probe(&stage, &[], "strat"), unknown);
}

/// The same file as that of the start.
#[test]
fn a_relative_path_starts_from_the_launch_directory() {
    let stage = Stage::new();
    let mut daemon = started(&stage, &[]);
    let launch = stage.launch(&mut probe(&stage, &["--go-to", "/"], "status"));
    assert_eq!(launch.status, 0, "{launch:?}");
    end(&mut daemon);
}

#[test]
fn the_name_is_the_one_that_the_program_gave() {
    let stage = Stage::new();
    answers(&stage.launch(&mut probe(&stage, &["--name", "a\nb"], "status")), 3, "a\\nb is not running");
}

/// A start would take no pidfile there.
#[test]
fn a_connection_as_standard_input_does_not_matter() {
    let stage = Stage::new();
    let mut daemon = started(&stage, &[]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let peer = TcpStream::connect(listener.local_addr().expect("an address")).expect("connect");
    let launch = stage.launch(probe(&stage, &[], "status").stdin(OwnedFd::from(peer)));
    assert_eq!(launch.status, 0, "{launch:?}");
    end(&mut daemon);
}

#[test]
fn an_output_that_takes_nothing_leaves_the_status_as_it_is() {
    let stage = Stage::new();
    let full = || File::options().write(true).open("/dev/full").expect("a device");
    assert_eq!(probe(&stage, &[], "status").stdout(full()).status().expect("start").code(), Some(3));
    assert_eq!(probe(&stage, &[], "stop").stdout(full()).status().expect("start").code(), Some(0));

    // Beyond the limit, a write would end it by SIGXFSZ, setrlimit(2).
    fs::write(stage.path("out"), [b'x'; 4096]).expect("write");
    let limited = |word| {
        let mut shell = stage.command("sh");
        let script = format!("ulimit -f 1; exec $0 --pidfile pid --obey {word} >>out");
        stage.launch(shell.args(["-c", &script, PROBE]))
    };
    assert_eq!(limited("status").status, 3);
    assert_eq!(limited("restart").status, 0);
    let mut daemon = stage.daemon();
    let ignored = u64::from_str_radix(daemon.sight.get("SigIgn"), 16).expect("a set of signals");
    assert_eq!(ignored & (1 << (SIGXFSZ - 1)), 0, "in the daemon, the signal does what it did");
    end(&mut daemon);
}

/// A set-user-ID program finds what its caller may not see.
#[test]
fn whoever_sees_less_is_told_no_cause() {
    let stage = Stage::new();
    let Some(copy) = stage.copy_with_mode(PROBE, 0o4755) else { return };
    stage.create_directory("secret");
    stage.create_directory("secret/pid");
    fs::set_permissions(stage.path("secret"), Permissions::from_mode(0o700)).expect("a mode");
    let launch = |word| stage.launch(stage.command_of_nobody(&copy).args(["--pidfile", "secret/pid", "--obey", word]));
    answers(&launch("status"), 4, "cannot tell whether probe is running: the cause is in the system's log");
    for word in ["stop", "restart", "reload"] {
        complains(&launch(word), 1, &format!("cannot {word} probe: the cause is in the system's log"));
    }
}
