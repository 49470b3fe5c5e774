//! Logs that a start refuses, since they could never be rotated.

use std::{
    fs,
    os::unix::fs::{chown, symlink},
    path::PathBuf,
    process::Command,
};

use nix::{sys::stat::Mode, unistd::mkfifo};
use support::{Stage, needs_ordinary_user, needs_root, needs_tools, skip};

use super::{NOBODY, daemon, directory, fill, probe, set_mode, words};
use crate::PROBE;

/// `{}` in the line stands for the directory.
fn refused(stage: &Stage, options: &[&str], line: &str) {
    stage.refuses(&mut probe(stage, options), &format!("probe: {line}"));
}

#[test]
fn what_has_no_path() {
    let stage = Stage::new();
    for stream in ["stdout", "stderr"] {
        drop(stage.create("own"));
        for value in ["nothing", "inherited", "file:own"] {
            let options = [format!("--{stream}"), format!("rotate:50,1:{value}")];
            let line = format!("`{stream}` has no path, and cannot be rotated: rotate `Stdio::append(path)`");
            refused(&stage, &options.each_ref().map(String::as_str), &line);
        }
    }
    refused(&stage, &["--stdin", "rotate:50,1:log"], "`stdin` is only read, and cannot be rotated");
}

#[test]
fn a_limit_of_nothing_and_two_limits_for_one_file() {
    let stage = Stage::new();
    let line =
        "`stdout` would be rotated at 0 bytes, which is every line; leave `rotate` out for a log without a limit";
    refused(&stage, &["--stdout", "rotate:0,1:log"], line);
    let line = "`stdout` and `stderr` are one file, and cannot be rotated in two ways";
    for stderr in ["rotate:51,1:log", "rotate:50,2:./log"] {
        refused(&stage, &["--stdout", "rotate:50,1:log", "--stderr", stderr], line);
    }
}

#[test]
fn a_directory_in_which_the_user_may_not_rename() {
    needs_root!();
    let stage = Stage::new();
    stage.open_to_all();
    directory(&stage, "logs", 0);
    drop(stage.create("logs/log"));
    chown(stage.path("logs/log"), Some(NOBODY), None).expect("give it away");
    let line = "cannot rotate stdout {}/logs/log as user nobody: it cannot be renamed in {}/logs: \
                Permission denied (os error 13)";
    refused(&stage, &["--stdout", "rotate:50,1:logs/log", "--user", "nobody"], line);
    // If the start would create the log, it finds out the same as for `reopen_logs`.
    let line = "cannot reopen stderr {}/logs/new as user nobody: it cannot be created in {}/logs after a rotation: \
                Permission denied (os error 13); give it a directory that belongs to that user";
    refused(&stage, &["--stderr", "rotate:50,1:logs/new", "--user", "nobody"], line);
    // Root may.
    drop(daemon(&stage, &["--stdout", "rotate:50,1:logs/log"]));
}

#[test]
fn a_directory_that_the_launchers_own_user_may_not_change() {
    needs_ordinary_user!();
    let stage = Stage::new();
    stage.create_directory("logs");
    drop(stage.create("logs/log"));
    set_mode(&stage.path("logs"), 0o555);
    let line = "cannot rotate stdout {}/logs/log: it cannot be renamed in {}/logs: Permission denied (os error 13)";
    refused(&stage, &["--stdout", "rotate:50,1:logs/log"], line);
    set_mode(&stage.path("logs"), 0o755);
}

#[test]
fn a_log_that_the_user_may_not_write_to_by_its_name() {
    needs_root!();
    let stage = Stage::new();
    stage.open_to_all();
    directory(&stage, "logs", NOBODY);
    directory(&stage, "roots", 0);
    set_mode(&stage.path("roots"), 0o1777);
    drop(stage.create("roots/log"));
    set_mode(&stage.path("roots/log"), 0o666);
    let line = "cannot rotate stdout {}/roots/log as user nobody: it cannot be renamed in {}/roots: \
                the directory is sticky, and neither it nor the log belongs to the daemon's user";
    refused(&stage, &["--stdout", "rotate:50,1:roots/log", "--user", "nobody"], line);
}

#[test]
fn outside_of_the_jail() {
    needs_root!();
    let stage = Stage::new();
    directory(&stage, "jail", 0);
    let line = "cannot reopen stdout {}/log: it lies outside the root directory {}/jail, and cannot be opened \
                from inside";
    refused(&stage, &["--chroot", "jail", "--stdout", "rotate:50,1:log"], line);
}

#[test]
fn what_has_a_number_and_is_no_file() {
    type Plant = (&'static str, fn(&Stage));
    let plants: [Plant; 3] = [
        ("a link", |stage| symlink("target", stage.path("log.1")).expect("link")),
        ("a FIFO", |stage| mkfifo(&stage.path("log.1"), Mode::S_IRWXU).expect("create a FIFO")),
        ("a directory", |stage| stage.create_directory("log.3")),
    ];
    for (what, plant) in plants {
        let stage = Stage::new();
        plant(&stage);
        let line = "cannot rotate stdout {}/log: it cannot be renamed in {}: \
                    its name with a number, such as `.1`, is not a regular file";
        refused(&stage, &["--stdout", "rotate:50,3:log"], line);
        assert!(!stage.path("target").exists(), "{what}");
    }
}

#[test]
fn a_name_that_has_no_room_for_a_number() {
    let stage = Stage::new();
    let name = "x".repeat(253);
    let line =
        format!("cannot rotate stdout {{}}/{name}: it cannot be renamed in {{}}: File name too long (os error 36)");
    refused(&stage, &["--stdout", &format!("rotate:50,10:{name}")], &line);
    drop(daemon(&stage, &["--stdout", &format!("rotate:50,9:{name}")]));
}

#[test]
fn what_was_kept_and_its_owner_alone_may_rename() {
    needs_root!();
    for (files, keep, others) in [(1, 1, 1), (2, 1, 2), (3, 5, 2)] {
        let stage = Stage::new();
        stage.open_to_all();
        directory(&stage, "logs", 0);
        set_mode(&stage.path("logs"), 0o1777);
        let name = |number: u32| stage.path(&format!("logs/log.{number}"));
        for path in (1..=files).map(name).chain([stage.path("logs/log")]) {
            fs::write(&path, "").expect("write");
            chown(&path, Some(NOBODY), Some(NOBODY)).expect("give it away");
        }
        chown(name(others), Some(7777), None).expect("give it away");
        let stdout = format!("rotate:50,{keep}:logs/log");
        let options = ["--stdout", &stdout, "--user", "nobody"];
        let line = "cannot rotate stdout {}/logs/log as user nobody: it cannot be renamed in {}/logs: \
                    the directory is sticky, and neither it nor log.N belongs to the daemon's user";
        refused(&stage, &options, &line.replace("log.N", &format!("log.{others}")));
        // Above a gap, it does no harm.
        fs::rename(name(others), name(files + 2)).expect("rename");
        let mut daemon = daemon(&stage, &[&options[..], &["--connect"]].concat());
        fill(&mut daemon, "one");
        assert_eq!(words(&stage, &["logs/log.1"]), ["one"]);
    }
}

/// A log that a container mounts by itself, or what was one.
#[test]
fn a_mount_point() {
    needs_root!();
    for (name, it) in [("log", "it"), ("log.1", "log.1")] {
        let stage = Stage::new();
        for name in [name, "outside"] {
            drop(stage.create(name));
        }
        let line = format!(
            "probe: cannot rotate stdout {{}}/log: it cannot be renamed in {{}}: \
             {it} is append-only or immutable, chattr(1), or a mount point"
        );
        let mut command = stage.command_behind(&format!("mount --bind outside {name}"), PROBE);
        stage.refuses(command.args(["--stdout", "rotate:50,1:log"]), &line);
    }
}

/// Takes the attributes away again.
struct Attribute(PathBuf);

impl Attribute {
    /// None, and says so, where the file system has none.
    fn set(letter: char, path: PathBuf) -> Option<Self> {
        let status = Command::new("chattr").arg(format!("+{letter}")).arg(&path).status().expect("start chattr");
        if !status.success() {
            skip("a file system with attributes");
        }
        status.success().then_some(Self(path))
    }
}

impl Drop for Attribute {
    fn drop(&mut self) {
        let _ = Command::new("chattr").arg("-ai").arg(&self.0).status();
    }
}

#[test]
fn what_has_an_attribute_that_keeps_its_name() {
    needs_root!();
    needs_tools!("chattr");
    let of_file = |it: &str| format!("{it} is append-only or immutable, chattr(1), or a mount point");
    for (name, letter, why) in [
        ("logs/log", 'a', of_file("it")),
        ("logs/log.1", 'a', of_file("log.1")),
        ("logs/log.2", 'i', of_file("log.2")),
        ("logs", 'a', "the directory is append-only, chattr(1)".to_owned()),
        ("logs", 'i', "Operation not permitted (os error 1)".to_owned()),
    ] {
        let stage = Stage::new();
        stage.create_directory("logs");
        for name in ["logs/log", "logs/log.1", "logs/log.2"] {
            drop(stage.create(name));
        }
        let Some(attribute) = Attribute::set(letter, stage.path(name)) else { return };
        let options = ["--stdout", "rotate:50,3:logs/log"];
        let line = format!("cannot rotate stdout {{}}/logs/log: it cannot be renamed in {{}}/logs: {why}");
        refused(&stage, &options, &line);
        drop(attribute);
        let mut daemon = daemon(&stage, &options);
        fill(&mut daemon, "one");
        assert_eq!(words(&stage, &["logs/log.1"]), ["one"]);
    }
}

/// As by ulimit(1) and `TasksMax=`.
#[test]
fn where_there_is_no_thread_to_be_had() {
    needs_root!();
    needs_tools!("prlimit");
    let stage = Stage::new();
    stage.open_to_all();
    directory(&stage, "logs", NOBODY);
    let options = ["--nproc=0", "--", PROBE, "--user", "nobody", "--pidfile", "pid"];
    let line = "cannot start the thread that rotates logs: Resource temporarily unavailable (os error 11)";
    for notify in [&[][..], &["--notify"]] {
        let mut command = stage.command("prlimit");
        command.args(options).args(["--stdout", "rotate:50,1:logs/log"]).args(notify);
        stage.refuses(&mut command, &format!("probe: {line}"));
        assert!(!stage.path("logs/log").exists(), "left behind");
    }
    // Without one, nobody needs a thread.
    let mut command = stage.command("prlimit");
    drop(stage.started(command.args(options).args(["--stdout", "logs/log"])));
}
