//! A start where something is short or missing: it works, or one line says which step wanted it, and nothing is left.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{self, Command},
};

use nix::sys::signal::Signal;
use support::{Daemon, Launch, Process, Stage, is_root, needs_ordinary_user, needs_root, needs_tools, skip};

use crate::{ARRANGE, PROBE};

/// The daemon of that start, as it is after any other.
fn whole(stage: &Stage, command: &mut Command) -> Daemon {
    let daemon = stage.started(command);
    check_whole(stage, &daemon);
    daemon
}

fn check_whole(stage: &Stage, daemon: &Daemon) {
    let process = daemon.process;
    assert_ne!(process.session(), process.0, "it leads its session");
    assert_eq!(process.group(), process.session());
    assert_eq!(target(process, "cwd"), Path::new("/"));
    let status = ["Umask", "SigBlk"].map(|key| process.status(key).expect("a process"));
    assert_eq!(status, ["0027", "0000000000000000"]);
    for number in 3..64 {
        let target = target(process, &format!("fd/{number}"));
        let is_own = target.to_string_lossy().starts_with("socket:") || target.starts_with(stage.directory());
        assert!(is_own || target == Path::new(""), "{number}: {}", target.display());
    }
}

fn target(process: Process, link: &str) -> PathBuf {
    fs::read_link(format!("/proc/{}/{link}", process.0)).unwrap_or_default()
}

fn end(daemon: &Daemon) {
    daemon.process.signal(Signal::SIGKILL);
    daemon.wait();
}

/// The start fails with that line, in which `{}` is the directory, and leaves nothing.
fn refused(stage: &Stage, command: &mut Command, line: &str) {
    stage.refuses(command, &format!("probe: {line}"));
}

/// A program after that script of the shell, in the same process.
fn after(stage: &Stage, script: &str, program: &str) -> Command {
    let mut command = stage.command("sh");
    command.args(["-c", &format!("{script} && exec \"$@\""), "sh", program]);
    command
}

/// A stage in which others may start the probe, and the path of that.
fn open_to_all() -> (Stage, PathBuf) {
    let stage = Stage::new();
    stage.open_to_all();
    let probe = stage.copy(PROBE);
    (stage, probe)
}

const AGAIN: &str = "Resource temporarily unavailable (os error 11)";

/// Of a user who runs nothing else. To root the limit does not apply, setrlimit(2).
#[test]
fn a_limit_of_processes() {
    needs_root!();
    needs_tools!("setpriv", "prlimit");
    let (stage, probe) = open_to_all();
    let user = (100_000 + process::id()).to_string();
    let limited = |limit: &str| {
        let mut command = stage.command("setpriv");
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "prlimit", &format!("--nproc={limit}")]);
        command.arg(&probe);
        command
    };
    refused(&stage, &mut limited("1"), &format!("cannot fork the session leader: {AGAIN}"));
    refused(&stage, &mut limited("2"), &format!("cannot fork the daemon: {AGAIN}"));
    whole(&stage, &mut limited("3"));
}

/// It applies to root, too.
#[test]
fn a_control_group_that_is_full() {
    needs_root!();
    let Some(group) = ControlGroup::new() else { return skip("a control group with pids.max") };
    let stage = Stage::new();
    let limited = |limit: &str| {
        fs::write(group.0.join("pids.max"), limit).expect("set the limit");
        after(&stage, &format!("echo $$ >{}/cgroup.procs", group.0.display()), PROBE)
    };
    refused(&stage, &mut limited("1"), &format!("cannot fork the session leader: {AGAIN}"));
    refused(&stage, &mut limited("2"), &format!("cannot fork the daemon: {AGAIN}"));
    end(&whole(&stage, &mut limited("3")));
}

/// Of either version of the hierarchy, cgroups(7).
struct ControlGroup(PathBuf);

impl ControlGroup {
    fn new() -> Option<Self> {
        let name = format!("exhaustion-{}", process::id());
        let directories = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].map(|root| Path::new(root).join(&name));
        let mut created = directories.into_iter().filter(|directory| fs::create_dir(directory).is_ok()).map(Self);
        created.find(|group| group.0.join("pids.max").exists())
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Every step may be the one that finds no free descriptor. The loader of shared libraries needs one, too, and closes
/// it.
#[test]
fn a_limit_of_open_files() {
    let files = ["--stdin", "input", "--stdout", "out", "--stderr", "err", "--pidfile", "pid"];
    let stand_in = ["--stdin", "input", "--start-timeout", "500", "--notify"];
    let user = ["--user", "nobody", "--stdout", "out", "--pidfile", "pid"];
    for options in [files.as_slice(), &stand_in, &user] {
        if options != user || is_root() {
            assert!(is_too_low("exec <&- && ulimit -n 3", options));
            let refusing = (4..100).take_while(|limit| is_too_low(&format!("ulimit -n {limit}"), options)).count();
            assert!((3..50).contains(&refusing), "{refusing} limits were too low");
        }
    }
}

/// Without descriptors, the start fails, and leaves nothing; `main` begins with enough of them.
fn is_too_low(limit: &str, options: &[&str]) -> bool {
    let stage = Stage::new();
    fs::write(stage.path("input"), "").expect("write");
    let launch = stage.launch(after(&stage, limit, PROBE).args(options));
    let began = ["probe: the daemon ended before it was ready", "probe: the daemon was not ready"];
    if launch.status == 0 || began.iter().any(|line| launch.stderr.contains(line)) {
        return false;
    }
    assert_eq!((launch.status, launch.stdout.as_str()), (1, ""), "{launch:?}");
    let line = launch.stderr.strip_suffix(": Too many open files (os error 24)\n");
    assert!(line.is_some_and(|line| line.starts_with("probe: cannot ") && !line.contains('\n')), "{launch:?}");
    assert_eq!(stage.processes(), [], "left behind");
    assert_eq!(stage.files(), ["input"], "left behind with {limit} {options:?}: {launch:?}");
    true
}

#[test]
fn a_limit_of_the_size_of_files() {
    let stage = Stage::new();
    let limited = || after(&stage, "ulimit -f 0", PROBE);
    let line = "cannot write the process id to {}/pid: File too large (os error 27)";
    refused(&stage, limited().args(["--pidfile", "pid"]), line);
    refused(&stage, limited().args(["--pidfile", "pid", "--foreground"]), line);
    refused(&stage, limited().args(["--pidfile", "pid", "--stdout", "log", "--notify"]), line);
    whole(&stage, limited().args(["--stdout", "log"]));
}

/// Until the daemon is ready, what it writes to its null device has no limit, even if the launcher keeps it.
#[test]
fn a_limit_of_the_size_of_files_and_words_for_the_launcher() {
    let stage = Stage::new();
    let launcher = stage.start(after(&stage, "ulimit -f 0", PROBE).arg("--notify"));
    let mut daemon = stage.daemon();
    assert_eq!(daemon.ask("stderr hello"), "");
    assert_eq!(daemon.ask("ready"), "");
    let launch = launcher.end();
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    check_whole(&stage, &daemon);
}

/// With too little memory, the loader, the allocator or the kernel ends it. Whatever it leaves behind does no harm.
fn ends_or_is_whole(limit: &str, values: impl Iterator<Item = u32>) {
    // A daemon that is ready has the memory to tell what it sees.
    let options = ["--pidfile", "pid", "--stdout", "log", "--notify", "--ready", "--keep-memory", "262144"];
    let outcomes = values.map(|value| {
        let stage = Stage::new();
        let launch = stage.launch(after(&stage, &format!("ulimit {limit} {value}"), PROBE).args(options));
        if launch.status == 0 {
            assert_eq!(launch.stderr, "");
            check_whole(&stage, &stage.daemon());
        } else {
            assert!(stage.no_daemon_reported(), "with {value}: {launch:?}");
            assert_eq!(stage.processes(), [], "left behind with {value}: {launch:?}");
            whole(&stage, stage.command(PROBE).args(options));
        }
        launch.status == 0
    });
    let starts: Vec<_> = outcomes.collect();
    assert!(starts.contains(&false) && starts.contains(&true), "{limit}: {starts:?}");
}

#[test]
fn a_limit_of_memory() {
    ends_or_is_whole("-v", (1000..10_000).step_by(250));
}

#[test]
fn a_limit_of_the_stack() {
    ends_or_is_whole("-s", (4..=128).step_by(4));
}

/// The launcher's status and line, and the names that are there afterwards.
fn in_a_file_system(prepare: &str, options: &[&str]) -> (i32, String, String) {
    let stage = Stage::new();
    stage.create_directory("mount");
    let script = r#"mount -t tmpfs -o size=8k,nr_inodes=3 tmpfs mount && (cd mount && eval "$1") || exit 99
        shift; "$@"; status=$?; cd mount; echo *; exit $status"#;
    let mut unshare = stage.command("unshare");
    unshare.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh", prepare, PROBE]).args(options);
    let Launch { status, stdout, stderr } = stage.launch(&mut unshare);
    if status == 0 {
        end(&stage.daemon());
    }
    assert_eq!(stage.processes(), [], "left behind");
    let line = stderr.replace(&*stage.directory().to_string_lossy(), "{}");
    (status, line.trim_start_matches("probe: ").trim_end().to_owned(), stdout.trim_end().to_owned())
}

#[test]
fn a_file_system_without_room() {
    needs_root!();
    let (no_block, no_inode) = ("head -c 8192 /dev/zero >old", ":>old; :>older");
    // What it writes is lost there; that is no reason not to start.
    assert_eq!(in_a_file_system(no_block, &["--stdout", "mount/log"]), (0, String::new(), "log old".into()));
    for (prepare, options, step, left) in [
        (no_block, ["--pidfile", "mount/pid"], "write the process id to {}/mount/pid", "old"),
        (no_inode, ["--stdout", "mount/log"], "open stdout {}/mount/log", "old older"),
        (no_inode, ["--pidfile", "mount/pid"], "lock {}/mount/pid", "old older"),
    ] {
        let line = format!("cannot {step}: No space left on device (os error 28)");
        assert_eq!(in_a_file_system(prepare, &options), (1, line, left.to_owned()));
    }
}

#[test]
fn a_file_system_that_is_read_only() {
    needs_root!();
    for (prepare, left) in [("mount -o remount,ro .", "*"), (":>log; :>pid; mount -o remount,ro .", "log pid")] {
        for (options, step) in [
            (["--stdout", "mount/log"], "open stdout {}/mount/log"),
            (["--stdout", "truncate:mount/log"], "open stdout {}/mount/log"),
            (["--pidfile", "mount/pid"], "lock {}/mount/pid"),
        ] {
            let line = format!("cannot {step}: Read-only file system (os error 30)");
            assert_eq!(in_a_file_system(prepare, &options), (1, line, left.to_owned()), "{prepare}");
        }
    }
}

#[test]
fn no_proc() {
    needs_root!();
    for options in [[].as_slice(), &["--user", "nobody"]] {
        let stage = Stage::new();
        let mut command = stage.command_behind("mount -t tmpfs none /proc", ARRANGE);
        command.args(["--fd", "9=handed-on", "--", PROBE, "--pidfile", "pid", "--stdout", "log", "--connect"]);
        let daemon = whole(&stage, command.args(options));
        assert_eq!(target(daemon.process, "fd/9"), Path::new(""), "{options:?}");
    }
}

#[test]
fn no_null_device() {
    needs_root!();
    let stage = Stage::new();
    fs::write(stage.path("plain"), "").expect("write");
    let mut none = stage.command_behind("mount -t tmpfs none /dev", PROBE);
    refused(&stage, &mut none, "cannot open /dev/null: No such file or directory (os error 2)");
    for other in ["plain", "/dev/full"] {
        let mut replaced = stage.command_behind(&format!("mount --bind {other} /dev/null"), PROBE);
        refused(&stage, &mut replaced, "cannot open /dev/null: it is not the null device");
    }
}

#[test]
fn a_launch_directory_that_is_gone() {
    let stage = Stage::new();
    let launch = || after(&stage, "mkdir gone && cd gone && rmdir ../gone", PROBE);
    for (option, value) in [("--stdout", "log"), ("--pidfile", "pid")] {
        let why = "No such file or directory (os error 2)";
        let line = format!("cannot find the launch directory that {value} starts from: {why}");
        refused(&stage, launch().args([option, value]), &line);
    }
    whole(&stage, launch().arg("--stdout").arg(stage.path("log")));
}

#[test]
fn a_launch_directory_that_cannot_be_read() {
    needs_ordinary_user!();
    let stage = Stage::new();
    stage.create_directory("closed");
    let launch = || after(&stage, "chmod 700 closed && cd closed && chmod 0 .", PROBE);
    for (option, value, step) in [("--stdout", "log", "open stdout"), ("--pidfile", "pid", "lock")] {
        let line = format!("cannot {step} {{}}/closed/{value}: no permission to search the directory {{}}/closed");
        refused(&stage, launch().args([option, value]), &line);
    }
    whole(&stage, &mut launch());
    fs::set_permissions(stage.path("closed"), Permissions::from_mode(0o700)).expect("a mode"); // or it stays in /tmp
}

/// Empty except for the test's socket.
#[test]
fn an_empty_environment() {
    let stage = Stage::new();
    let mut command = stage.command(PROBE);
    let socket = stage.path("probe.socket");
    command.env_clear().env("PROBE_SOCKET", &socket).args(["--pidfile", "pid", "--stdout", "log"]);
    let daemon = whole(&stage, &mut command);
    let environment = fs::read(format!("/proc/{}/environ", daemon.process.0)).expect("an environment");
    assert_eq!(environment, format!("PROBE_SOCKET={}\0", socket.display()).as_bytes());
}

/// `arrange --nameless` gives it no arguments at all.
#[test]
fn no_name() {
    let stage = Stage::new();
    let nameless = || {
        let mut command = stage.command(ARRANGE);
        command.args(["--nameless", "--", PROBE]);
        command
    };
    whole(&stage, &mut nameless());
}
