//! The root directory changed: nothing of the old one is in reach.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    process::Command,
};

use daemon_rt::{PidFile, Status};
use nix::unistd::User;
use support::{Daemon, Process, Stage, needs_root, needs_tools};

use crate::{ARRANGE, PROBE};

/// A stage with a jail: an empty directory `inside` and nothing else, unless the test puts it there.
fn jail() -> Stage {
    let stage = Stage::new();
    fs::create_dir_all(stage.path("jail/inside")).expect("create a directory");
    for directory in ["jail", "jail/inside"] {
        fs::set_permissions(stage.path(directory), Permissions::from_mode(0o755)).expect("a mode");
    }
    stage
}

fn probe(stage: &Stage) -> Command {
    let mut command = stage.command(PROBE);
    command.args(["--chroot", "jail"]);
    command
}

fn started(stage: &Stage, command: &mut Command) -> Daemon {
    stage.started(command.arg("--connect"))
}

fn refused(stage: &Stage, command: &mut Command, line: &str) {
    stage.refuses(command.args(["--stdout", "log", "--pidfile", "pid"]), &format!("probe: {line}"));
}

fn place(process: Process, what: &str) -> PathBuf {
    fs::read_link(format!("/proc/{}/{what}", process.0)).expect("a process")
}

#[test]
fn names_are_those_in_the_jail() {
    needs_root!();
    for user in [[].as_slice(), &["--user", "nobody"]] {
        let stage = jail();
        let mut daemon = started(&stage, probe(&stage).args(user));
        assert_eq!(place(daemon.process, "root"), stage.path("jail"));
        assert_eq!(place(daemon.process, "cwd"), stage.path("jail"));
        assert_eq!(daemon.ask("list /"), "inside");
        assert_eq!(daemon.ask("list /.."), "inside");
    }
}

#[test]
fn the_directory_is_one_in_the_jail() {
    needs_root!();
    for (options, directory) in [
        (["--chdir", "/inside"].as_slice(), "jail/inside"),
        (&["--chdir", "inside"], "jail/inside"),
        (&["--chdir", "/inside", "--foreground"], "jail/inside"),
        (&["--foreground"], "jail"),
    ] {
        let stage = jail();
        let _launcher = stage.start(probe(&stage).args(options).arg("--connect"));
        let daemon = stage.daemon();
        assert_eq!(place(daemon.process, "root"), stage.path("jail"), "{options:?}");
        assert_eq!(place(daemon.process, "cwd"), stage.path(directory), "{options:?}");
    }
}

/// Before Linux 5.6 there is no openat2(2), and some containers' filters forbid it.
#[test]
fn without_a_look_ahead_the_start_itself_tells() {
    needs_root!();
    needs_tools!("strace");
    let stage = jail();
    for error in ["ENOSYS", "EPERM"] {
        let probe = |directory| {
            let mut command = stage.command("strace");
            command.args(["-qq", "-o", "/dev/null", "-e", "trace=openat2"]);
            command.args(["-e", &format!("inject=openat2:error={error}"), "--", PROBE]);
            command.args(["--chroot", "jail", "--chdir", directory]);
            command
        };
        drop(started(&stage, &mut probe("/inside")));
        refused(
            &stage,
            &mut probe("/missing"),
            "cannot change directory to /missing: No such file or directory (os error 2)",
        );
    }
}

#[test]
fn no_descriptor_leads_out() {
    needs_root!();
    for options in [[].as_slice(), &["--user", "nobody"], &["--foreground", "--user", "nobody"]] {
        let stage = jail();
        let mut command = stage.command(ARRANGE);
        // In the foreground the inherited ones stay what they are.
        let inherited: &[&str] = if options.contains(&"--foreground") { &[] } else { &["--fd", "7=seven"] };
        command.args(inherited).args(["--", PROBE, "--chroot", "jail", "--open", "file", "--stdout", "log"]);
        let _launcher = stage.start(command.args(options).args(["--pidfile", "pid", "--connect"]));
        let mut daemon = stage.daemon();
        let outside = stage.path("jail");
        assert_eq!(daemon.ask(&format!("escape {}", outside.display())), "", "{options:?}");
    }
}

/// Shows that the test above would find a way out.
#[test]
fn a_descriptor_would_lead_out() {
    needs_root!();
    let stage = jail();
    let root = started(&stage, stage.command(PROBE).args(["--open-path", "/"])).ask("escape /etc/passwd");
    assert!(!root.is_empty(), "{root}");
}

#[test]
fn an_open_directory_is_refused() {
    needs_root!();
    let line = "cannot change the root directory: file descriptor ";
    for option in ["--open-directory", "--open-path"] {
        for options in [
            [].as_slice(),
            &["--user", "nobody"],
            &["--foreground"],
            &["--foreground", "--close", "0"], // as many are open as there are standard streams
        ] {
            let stage = jail();
            let launch = stage.launch(probe(&stage).args([option, "/usr"]).args(options));
            assert!(launch.stderr.starts_with(&format!("probe: {line}")), "{launch:?}");
            assert!(launch.stderr.ends_with(", /usr, would lead out of it\n"), "{launch:?}");
            assert_eq!(launch.status, 1);
            assert!(stage.no_daemon_reported());
        }
    }
    let stage = jail();
    let inherited = |options: &[&str]| {
        let mut command = Command::new("sh");
        command.current_dir(stage.directory()).args(["-c", "exec \"$@\" 7</usr", "sh"]);
        let probe = probe(&stage);
        command.envs(probe.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.arg(PROBE).args(["--chroot", "jail"]).args(options);
        command
    };
    refused(&stage, &mut inherited(&["--keep-fds", "7"]), &format!("{line}7, /usr, would lead out of it"));
    refused(&stage, &mut inherited(&["--foreground"]), &format!("{line}7, /usr, would lead out of it"));
    drop(started(&stage, &mut inherited(&[]))); // closed, because it is not kept
    refused(
        &stage,
        inherited(&["--stdin"]).arg("inherited-directory"),
        "cannot open stdin {}/inherited-directory: No such file or directory (os error 2)",
    );
}

#[test]
fn a_standard_stream_that_is_a_directory_is_refused() {
    needs_root!();
    let directory = || File::open("/usr").expect("open a directory");
    let line = "probe: cannot change the root directory: file descriptor 0, /usr, would lead out of it\n";
    let stage = jail();
    for others in [["--"].as_slice(), &["--close-others", "--"]] {
        let mut command = stage.command(ARRANGE);
        command.args(others).args([PROBE, "--chroot", "jail", "--foreground"]).stdin(directory());
        let launch = stage.launch(&mut command);
        assert_eq!((launch.status, launch.stderr.as_str()), (1, line), "{others:?}");
    }
    drop(started(&stage, probe(&stage).stdin(directory()))); // replaced, as without the option
}

#[test]
fn streams_and_pidfile_are_those_outside() {
    needs_root!();
    let stage = jail();
    let mut daemon = started(&stage, probe(&stage).args(["--user", "nobody", "--stdout", "log", "--pidfile", "pid"]));
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    assert_eq!(stage.read("log"), "one\ntwo\n");
    let second = stage.launch(probe(&stage).args(["--user", "nobody", "--pidfile", "pid"]));
    assert!(second.stderr.ends_with(&format!("already running as process {}\n", daemon.process.0)), "{second:?}");
    daemon.send("return");
    daemon.wait();
    let left = format!("{}\n", daemon.process.0);
    assert_eq!(stage.read("pid"), left, "it can neither remove the file from inside, nor write to it");
    assert_eq!(PidFile::new(stage.path("pid")).status().expect("a status"), Status::Stale);
}

#[test]
fn the_groups_are_right_in_an_empty_jail() {
    needs_root!();
    let stage = jail();
    let many = "one:x:5001:nobody\ntwo:x:5002:nobody\n";
    let database = fs::read_to_string("/etc/group").expect("the group database");
    fs::write(stage.path("group"), format!("{database}{many}")).expect("write");
    let bind_and_run = "mount --bind group /etc/group && exec \"$@\"";
    let mut command = stage.command("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", bind_and_run, "sh", PROBE]);
    let daemon = started(&stage, command.args(["--chroot", "jail", "--user", "nobody"]));
    let nobody = User::from_name("nobody").expect("a database").expect("nobody").gid;
    assert_eq!(daemon.process.status("Groups"), Some(format!("5001 5002 {nobody}")));
}

#[test]
fn places_that_are_none() {
    needs_root!();
    let stage = jail();
    fs::write(stage.path("file"), "").expect("write");
    for (options, line) in [
        (
            ["--chroot", "missing"],
            "cannot change the root directory to {}/missing: No such file or directory (os error 2)",
        ),
        (["--chroot", "file"], "cannot change the root directory to {}/file: Not a directory (os error 20)"),
        (["--chroot", ""], "`chroot` is empty"),
        (
            ["--chroot", "~/jail"],
            "`chroot` starts with `~`, which only a shell expands; did you mean an absolute path?",
        ),
    ] {
        refused(&stage, stage.command(PROBE).args(options), line);
    }
    let line = "cannot change directory to /usr: No such file or directory (os error 2)";
    refused(&stage, probe(&stage).args(["--chdir", "/usr"]), line);
    refused(&stage, probe(&stage).args(["--chdir", "/usr", "--foreground"]), line);
    for file in ["jail/file", "old"] {
        fs::write(stage.path(file), "old\n").expect("write");
    }
    let line = "cannot change directory to /file: Not a directory (os error 20)";
    refused(&stage, probe(&stage).args(["--chdir", "/file", "--stderr", "truncate:old"]), line);
    assert_eq!(stage.read("old"), "old\n");

    // Links lead where they lead from inside.
    symlink("/usr", stage.path("jail/outside")).expect("link");
    symlink("/inside", stage.path("jail/link")).expect("link");
    let line = "cannot change directory to /outside: No such file or directory (os error 2)";
    refused(&stage, probe(&stage).args(["--chdir", "/outside"]), line);
    drop(started(&stage, probe(&stage).args(["--chdir", "/link"])));
}
