//! What a daemon writes to the processes that start it does not fill their memory.

use std::{fs, os::unix::fs::MetadataExt};

use nix::sys::resource::{UsageWho, getrusage};
use support::{Daemon, Launcher, Process, Stage, eventually};

use crate::{PROBE, alone};

/// How much of a text is read.
const LIMIT: usize = 64 << 10;

/// A daemon in `main` that is not ready, and its launcher.
fn starting(stage: &Stage) -> (Launcher, Daemon) {
    let launcher = stage.start(stage.command(PROBE).arg("--notify"));
    (launcher, stage.daemon())
}

/// How much memory a process's open file takes, by the number of its descriptor.
fn memory_of(process: Process, number: i32) -> Option<u64> {
    Some(fs::metadata(format!("/proc/{}/fd/{number}", process.0)).ok()?.blocks() * 512)
}

/// The most memory that any child of this process took, or a child of theirs.
fn largest() -> i64 {
    getrusage(UsageWho::RUSAGE_CHILDREN).expect("what the children used").max_rss()
}

#[test]
fn a_word_of_400_megabytes_is_cut() {
    let _alone = alone();
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage);
    daemon.send(&format!("to-leader 65 {}", 400 << 20));
    let launch = launcher.end();
    let line = format!("probe: {} (cut off after 64 KiB)\n", "A".repeat(LIMIT));
    assert!((launch.status, &launch.stderr) == (65, &line), "{} bytes: {launch:.200?}", launch.stderr.len());
    assert!(largest() < 64 << 10, "{} KiB", largest());
    assert_eq!(stage.processes(), [], "left behind");
}

#[test]
fn of_300_megabytes_before_it_is_ready_64_kibibytes_stay() {
    let _alone = alone();
    let stage = Stage::new();
    let (launcher, mut daemon) = starting(&stage);
    assert_eq!(daemon.ask("fill-stderr 300"), "");
    let most = (LIMIT + 4096) as u64; // a page counts as a whole
    eventually("the memory", || (memory_of(daemon.process, 2)? <= most).then_some(()));
    daemon.send("exit 7");
    let launch = launcher.end();
    let line = "probe: the daemon ended before it was ready: exit status: 7\n";
    let cut = "(only the last 64 KiB of standard error follow)\n";
    let shown = format!("{cut}{}\n{line}", "y".repeat(LIMIT));
    assert!((launch.status, &launch.stderr) == (7, &shown), "{} bytes: {launch:.200?}", launch.stderr.len());
    assert!(largest() < 64 << 10, "{} KiB", largest());
}
