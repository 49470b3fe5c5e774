//! Logs that cannot be opened anew when the time has come: the old one stays, and says why.

use std::{
    fs::{self, File},
    os::unix::fs::{chown, symlink},
    process::Command,
};

use support::{Daemon, Process, Stage, eventually, needs_ordinary_user, needs_root};

use super::{NOBODY, directory, hang_up, listening, open_stage, rename, set_mode};
use crate::PROBE;

/// Each way to fail, with the reason.
#[test]
fn a_log_that_cannot_be_opened_stays_and_tells_why_once() {
    type Break = fn(&Stage);
    let ways: [(Break, &str); 5] = [
        (|stage| rename(stage, "logs", "gone"), "No such file or directory (os error 2)"),
        (
            |stage| {
                rename(stage, "logs", "gone");
                drop(stage.create("logs"));
            },
            "Not a directory (os error 20)",
        ),
        (
            |stage| {
                fs::create_dir_all(stage.path("gone")).expect("create a directory");
                rename(stage, "logs/log", "gone/log");
                stage.create_directory("logs/log");
            },
            "Is a directory (os error 21)",
        ),
        (
            |stage| {
                fs::create_dir_all(stage.path("gone")).expect("create a directory");
                rename(stage, "logs/log", "gone/log");
                drop(stage.create("target"));
                symlink("../target", stage.path("logs/log")).expect("link");
            },
            "it is a symbolic link",
        ),
        (
            |stage| {
                fs::create_dir_all(stage.path("gone")).expect("create a directory");
                rename(stage, "logs/log", "gone/log");
                symlink("../nowhere", stage.path("logs/log")).expect("link");
            },
            "it is a symbolic link",
        ),
    ];
    for (break_it, why) in ways {
        let stage = Stage::new();
        stage.create_directory("logs");
        let mut daemon = listening(&stage, &["--stdout", "logs/log"]);
        let line = format!("probe: cannot reopen stdout {}: {why}\n", stage.path("logs/log").display());
        break_it(&stage);
        daemon.ask("stdout one");
        hang_up(&mut daemon);
        hang_up(&mut daemon);
        let error = daemon.ask("reopen");
        assert!(error.starts_with("error: cannot reopen stdout ") && error.len() > 40, "{error}");
        daemon.ask("stdout two");
        daemon.ask("stderr three");
        assert_eq!(stage.read("gone/log"), format!("one\n{line}two\nthree\n"));
        assert_eq!((stage.read("target"), stage.path("nowhere").exists()), (String::new(), false));

        // It succeeds once, and fails again: that is told again.
        if fs::remove_file(stage.path("logs")).is_err() {
            let _ = fs::remove_dir_all(stage.path("logs"));
        }
        stage.create_directory("logs");
        hang_up(&mut daemon);
        rename(&stage, "logs", "again");
        hang_up(&mut daemon);
        hang_up(&mut daemon);
        let line = line.replace(why, "No such file or directory (os error 2)");
        assert_eq!(stage.read("again/log"), line);
    }
}

#[test]
fn each_log_tells_its_own_reason() {
    let stage = Stage::new();
    stage.create_directory("logs");
    let mut daemon = listening(&stage, &["--stdout", "logs/out", "--stderr", "err"]);
    rename(&stage, "logs", "gone");
    rename(&stage, "err", "err.1");
    hang_up(&mut daemon);
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    let path = stage.path("logs/out");
    let line = format!("probe: cannot reopen stdout {}: No such file or directory (os error 2)\n", path.display());
    assert_eq!((stage.read("gone/out"), stage.read("err")), (line + "one\n", "two\n".into()));
}

#[test]
fn a_directory_that_may_not_be_written_any_more() {
    needs_ordinary_user!();
    let stage = Stage::new();
    stage.create_directory("logs");
    let mut daemon = listening(&stage, &["--stdout", "logs/log"]);
    rename(&stage, "logs/log", "logs/log.1");
    set_mode(&stage.path("logs"), 0o555);
    assert_old_log_stays(&stage, &mut daemon, "logs/log.1", "Permission denied (os error 13)");
    set_mode(&stage.path("logs"), 0o755);
}

#[test]
fn a_directory_that_was_taken_from_the_user() {
    needs_root!();
    let stage = open_stage();
    directory(&stage, "logs", NOBODY);
    let mut daemon = listening(&stage, &["--stdout", "logs/log", "--user", "nobody", "--connect"]);
    rename(&stage, "logs/log", "logs/log.1");
    chown(stage.path("logs"), Some(0), Some(0)).expect("take it");
    assert_old_log_stays(&stage, &mut daemon, "logs/log.1", "Permission denied (os error 13)");
}

#[test]
fn a_file_of_somebody_elses_with_a_second_link() {
    needs_root!();
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stdout", "log"]);
    rename(&stage, "log", "log.1");
    fs::write(stage.path("theirs"), "secret\n").expect("write");
    chown(stage.path("theirs"), Some(NOBODY), None).expect("give it away");
    fs::hard_link(stage.path("theirs"), stage.path("log")).expect("link");
    let why = "it has a second hard link and belongs to another user";
    assert_old_log_stays(&stage, &mut daemon, "log.1", why);
    assert_eq!(stage.read("theirs"), "secret\n");
}

/// Bound read-only over itself, the directory is so for whoever comes by its name.
#[test]
fn a_file_system_that_is_read_only_by_then() {
    needs_root!();
    let stage = Stage::new();
    stage.create_directory("logs");
    let mut command = stage.command_behind("true", PROBE);
    let mut daemon = stage.started(command.args(["--reopen-logs", "--stdout", "logs/log"]));
    assert_eq!(daemon.ask("listen signal-hook"), "");
    rename(&stage, "logs/log", "logs/log.1");
    let logs = stage.path("logs").display().to_string();
    beside(daemon.process, &["mount", "--bind", &logs, &logs]);
    beside(daemon.process, &["mount", "-o", "remount,bind,ro", &logs]);
    assert_old_log_stays(&stage, &mut daemon, "logs/log.1", "Read-only file system (os error 30)");
}

fn assert_old_log_stays(stage: &Stage, daemon: &mut Daemon, old: &str, why: &str) {
    daemon.ask("stdout one");
    hang_up(daemon);
    hang_up(daemon);
    let error = daemon.ask("reopen");
    assert!(error.ends_with(why), "{error}");
    daemon.ask("stdout two");
    let [first, line, last] =
        stage.read(old).lines().map(str::to_owned).collect::<Vec<_>>().try_into().expect("three lines");
    assert_eq!([first.as_str(), last.as_str()], ["one", "two"]);
    assert!(line.starts_with("probe: cannot reopen stdout ") && line.ends_with(why), "{line}");
}

#[test]
fn a_full_disk() {
    needs_root!();
    let stage = Stage::new();
    stage.create_directory("small");
    let mount = "mount -t tmpfs -o size=64k,nr_inodes=4 tmpfs small";
    let mut command = stage.command_behind(mount, PROBE);
    let mut daemon = stage.started(command.args(["--reopen-logs", "--stdout", "small/log"]));
    assert_eq!(daemon.ask("listen signal-hook"), "");
    let there = |name: &str| format!("/proc/{}/root{}/small/{name}", daemon.process.0, stage.directory().display());
    let [log, first, second] = ["log", "log.1", "log.2"].map(there);
    let read = |path: &str| fs::read_to_string(path).expect("read");
    let sleeps = |process: Process| eventually("sleep", || (process.stat(3)? == "S").then_some(()));

    let line = "a line ".repeat(100);
    let error =
        eventually("a full disk", || Some(daemon.ask(&format!("output {line}"))).filter(|said| !said.is_empty()));
    assert_eq!(error, "error: ENOSPC: No space left on device");
    assert!(read(&log).len() > 60_000, "{}", read(&log).len());
    sleeps(daemon.process);

    // A new file is not writable either, and one more cannot even be created.
    fs::rename(&log, &first).expect("rename");
    hang_up(&mut daemon);
    assert_eq!(daemon.ask(&format!("output {line}")), error);
    fs::rename(&log, &second).expect("rename");
    File::create(&log)
        .and_then(|_| fs::rename(&log, format!("{log}.last")))
        .expect("the last file that there is room for");
    hang_up(&mut daemon);
    hang_up(&mut daemon);
    assert_eq!(daemon.ask(&format!("output {line}")), error);
    sleeps(daemon.process);

    fs::remove_file(&first).expect("make room");
    assert_eq!(daemon.ask("output there is room again"), "");
    assert_eq!(daemon.ask("reopen"), "");
    assert_eq!(daemon.ask("output and a new log"), "");
    assert_eq!((read(&second), read(&log)), ("there is room again\n".into(), "and a new log\n".into()));
}

/// Runs a command where that process is.
fn beside(process: Process, command: &[&str]) {
    let mut enter = Command::new("nsenter");
    enter.args(["--mount", "--target", &process.0.to_string()]).args(command);
    assert!(enter.status().expect("start nsenter").success(), "{command:?}");
}

/// Otherwise, anybody who may write in the user's directory could make the daemon write to any file of the user's, or
/// root's.
#[test]
fn a_planted_link_is_not_followed() {
    needs_root!();
    for user in [[].as_slice(), &["--user", "nobody"]] {
        let stage = open_stage();
        directory(&stage, "logs", NOBODY);
        fs::write(stage.path("secret"), "").expect("write");
        chown(stage.path("secret"), Some(NOBODY), None).expect("give it away");
        let mut daemon = listening(&stage, &[&["--stdout", "logs/log", "--connect"], user].concat());
        rename(&stage, "logs/log", "logs/log.1");
        symlink(stage.path("secret"), stage.path("logs/log")).expect("link");
        assert_old_log_stays(&stage, &mut daemon, "logs/log.1", "it is a symbolic link");
        assert_eq!(stage.read("secret"), "");
    }
}
