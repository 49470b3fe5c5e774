//! Logs in directories in which others may write: whatever they put there is refused, at the start and later.

use std::{
    fs::{self, File},
    os::unix::fs::{OpenOptionsExt, chown},
    process::Command,
};

use nix::{libc, sys::stat::Mode, unistd::mkfifo};
use support::{Daemon, Stage, needs_root};

use super::{directory, nobody, set_mode, stage};
use crate::{PROBE, preload};

/// Neither root nor the daemon's user.
const SOMEBODY: u32 = 54321;

/// Owners and modes of directories in which somebody may write who is neither root nor the daemon's user.
const OPEN: [(u32, u32); 4] = [(0, 0o1777), (0, 0o777), (0, 0o775), (SOMEBODY, 0o777)];

const ANOTHERS: &str = "it belongs to another user, and others may write in its directory";
const LINKED: &str = "it has a second hard link, and others may write in its directory";

/// Who the daemon is, by its options, in messages, and by number.
fn daemons() -> [(&'static [&'static str], &'static str, u32); 2] {
    [(&[], "", 0), (&["--user", "nobody"], " as user nobody", nobody().0)]
}

fn probe(stage: &Stage, options: &[&str]) -> Command {
    let mut command = stage.command(PROBE);
    command.args(["--stdout", "logs/log"]).args(options);
    command
}

/// A stage with that directory, in which the daemon's user may write, too.
fn stage_with_logs(owner: u32, mode: u32) -> Stage {
    let stage = stage();
    chown(directory(&stage, "logs", owner, mode), None, Some(nobody().1)).expect("give it away");
    stage
}

/// What somebody put in the log's place, and who reads it there.
fn plant(stage: &Stage, kind: &str, owner: u32) -> Option<File> {
    let log = stage.path("logs/log");
    match kind {
        "file" => drop(stage.create("logs/log")),
        "linked" => {
            drop(stage.create("logs/first"));
            fs::hard_link(stage.path("logs/first"), &log).expect("link");
        }
        _ => mkfifo(&log, Mode::S_IRWXU).expect("create a FIFO"),
    }
    chown(&log, Some(owner), None).expect("give it away");
    set_mode(&log, 0o666);
    let reads = || File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&log).expect("a reader");
    (kind == "fifo").then(reads)
}

fn planted(daemon: u32) -> [(&'static str, u32, &'static str); 5] {
    [
        ("file", SOMEBODY, ANOTHERS),
        ("fifo", SOMEBODY, ANOTHERS),
        ("linked", SOMEBODY, ANOTHERS),
        ("linked", daemon, LINKED),
        ("linked", 0, LINKED),
    ]
}

#[test]
fn what_others_put_in_the_place_of_a_log() {
    needs_root!();
    for (owner, mode) in OPEN {
        for (options, who, daemon) in daemons() {
            for (kind, owner_of_log, why) in planted(daemon) {
                let stage = stage_with_logs(owner, mode);
                let _reader = plant(&stage, kind, owner_of_log);
                let line = format!("probe: cannot open stdout {{}}/logs/log{who}: {why}");
                stage.refuses(&mut probe(&stage, options), &line);
                let line = line.replace("stdout", "stderr");
                let mut command = probe(&stage, options);
                stage.refuses(command.args(["--stdout", "nothing", "--stderr", "truncate:logs/log"]), &line);
            }
        }
    }
}

#[test]
fn what_others_put_in_the_place_of_a_log_that_was_renamed() {
    needs_root!();
    for (owner, mode) in OPEN {
        for (options, _, daemon) in daemons() {
            for (kind, owner_of_log, why) in planted(daemon) {
                let stage = stage_with_logs(owner, mode);
                let mut daemon = stage.started(probe(&stage, options).args(["--connect", "--reopen-logs"]));
                fs::rename(stage.path("logs/log"), stage.path("logs/log.1")).expect("rename");
                let _reader = plant(&stage, kind, owner_of_log);
                let line = format!("cannot reopen stdout {}: {why}", stage.path("logs/log").display());
                assert_eq!(daemon.ask("reopen"), format!("error: {line}"), "{owner} {mode:o} {kind}");
                assert_eq!(stage.read("logs/log.1"), format!("probe: {line}\n"));
                keeps_its_log(&stage, &mut daemon);
            }
        }
    }
}

fn keeps_its_log(stage: &Stage, daemon: &mut Daemon) {
    daemon.ask("stdout one");
    assert!(stage.read("logs/log.1").ends_with("one\n"));
}

#[test]
fn a_log_of_roots_or_of_the_daemons_own() {
    needs_root!();
    for (owner, mode) in OPEN {
        for (options, _, daemon) in daemons() {
            for (kind, owner_of_log) in [("file", 0), ("file", daemon), ("fifo", 0), ("fifo", daemon)] {
                let stage = stage_with_logs(owner, mode);
                let _reader = plant(&stage, kind, owner_of_log);
                let mut daemon = stage.started(probe(&stage, options).args(["--connect", "--reopen-logs"]));
                assert_eq!(daemon.ask("reopen"), "", "{owner} {mode:o} {kind}");
                daemon.ask("stdout one");
                assert!(kind == "fifo" || stage.read("logs/log") == "one\n");
            }
        }
    }
}

/// Only somebody who may write there can have put it there.
#[test]
fn a_log_of_anothers_in_a_directory_of_roots_or_of_the_users() {
    needs_root!();
    for (options, _, daemon) in daemons() {
        for owner in [0, daemon] {
            for (kind, owner_of_log) in [("file", SOMEBODY), ("fifo", SOMEBODY), ("linked", daemon)] {
                let stage = stage_with_logs(owner, 0o755);
                let _reader = plant(&stage, kind, owner_of_log);
                let mut daemon = stage.started(probe(&stage, options).arg("--connect"));
                daemon.ask("stdout one");
                assert!(kind == "fifo" || stage.read("logs/log") == "one\n", "{owner} {kind} {owner_of_log}");
            }
        }
    }
}

/// As on FUSE, where the file system answers whatever it likes.
#[test]
fn a_directory_that_is_another_one_after_it_was_judged() {
    needs_root!();
    let Some(library) = preload::library("OPENAT_FINDS_ANOTHER_DIRECTORY") else { return };
    for (options, _, _) in daemons() {
        let stage = stage();
        let judged = directory(&stage, "logs", 0, 0o755);
        let of_root = directory(&stage, "of-root", 0, 0o700);
        let mut command = probe(&stage, options);
        command.arg("--connect").env("LD_PRELOAD", &library).env("LINK", judged).env("TARGET", &of_root);
        drop(stage.started(&mut command));
        assert!(stage.path("logs.moved/log").exists(), "{options:?}");
        assert_eq!(fs::read_dir(of_root).expect("a directory").count(), 0, "{options:?}");
    }
}
