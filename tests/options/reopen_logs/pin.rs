//! The daemon's own descriptor of a log, which keeps the inode number from being another file's.

use std::{fs, os::unix::fs::MetadataExt};

use support::{Daemon, Stage};

use super::{hang_up, listening, probe, rename};
use crate::preload;

/// Above the standard streams.
fn pins(stage: &Stage, daemon: &mut Daemon, log: &str) -> Vec<i32> {
    let path = stage.path(log).to_string_lossy().into_owned();
    let sight = daemon.look();
    let pins: Vec<_> = sight
        .descriptors()
        .into_iter()
        .filter(|(number, target)| *number > 2 && *target == path)
        .map(|pin| pin.0)
        .collect();
    let on_exec: Vec<_> = sight.get("close_on_exec").split(',').map(str::to_owned).collect();
    assert!(pins.iter().all(|number| on_exec.contains(&number.to_string())), "{sight:?}");
    pins
}

/// A program closes a stream, and a file of its own gets that number. The file also gets the inode number of the old
/// log: some file systems give it to the next file.
#[test]
fn a_file_of_the_programs_is_not_taken_for_a_log_that_is_gone() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stdout", "log"]);
    let number = stage.path("log").metadata().expect("a log").ino();
    fs::remove_file(stage.path("log")).expect("remove the log");
    for stream in [1, 2] {
        assert_eq!(daemon.ask(&format!("close {stream}")), "");
    }
    assert_eq!(daemon.ask(&format!("open {}", stage.path("own").display())), "");
    hang_up(&mut daemon);
    assert_eq!(daemon.process.descriptor(1), Some(stage.path("own")));
    assert_ne!(stage.path("own").metadata().expect("a file").ino(), number);
    assert_eq!(stage.files(), ["own"]);
}

#[test]
fn it_goes_with_the_log() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stdout", "out", "--stderr", "err"]);
    let before = ["out", "err"].map(|log| pins(&stage, &mut daemon, log));
    assert!(before.iter().all(|pins| pins.len() == 1), "{before:?}");
    for log in ["out", "err"] {
        rename(&stage, log, &format!("{log}.1"));
    }
    hang_up(&mut daemon);
    assert_eq!(["out", "err"].map(|log| pins(&stage, &mut daemon, log)), before);
    assert_eq!(["out.1", "err.1"].map(|log| pins(&stage, &mut daemon, log)).concat(), Vec::<i32>::new());
}

/// As a loop over all descriptors does. If another file gets the pin's number, it stays as it is. And the new pin is no
/// standard stream, even if the number of one is free.
#[test]
fn a_program_that_closes_it_has_its_log_reopened_all_the_same() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stdout", "log"]);
    let [pin] = pins(&stage, &mut daemon, "log")[..] else { panic!("not one descriptor") };
    assert_eq!(daemon.ask(&format!("close {pin}")), "");
    while daemon.process.descriptor(pin).is_none() {
        assert_eq!(daemon.ask(&format!("open {}", stage.path("own").display())), "");
    }
    assert_eq!(daemon.ask("close 0"), "");
    rename(&stage, "log", "log.1");
    hang_up(&mut daemon);
    daemon.ask("stdout one");
    assert_eq!((stage.read("log"), stage.read("own")), ("one\n".into(), String::new()));
    assert_eq!(daemon.process.descriptor(pin), Some(stage.path("own")));
    assert_eq!(pins(&stage, &mut daemon, "log").len(), 1, "a new one");
    assert_eq!(daemon.process.descriptor(0), None);
}

/// On NFS, fstat(2) has an error for such a file.
#[test]
fn a_log_that_another_host_removed_is_opened_anew_for_both_streams() {
    let Some(library) = preload::library("REMOVED_IS_STALE") else { return };
    let stage = Stage::new();
    let mut daemon = stage.started(probe(&stage).args(["--stdout", "log"]).env("LD_PRELOAD", library));
    fs::remove_file(stage.path("log")).expect("remove");
    assert_eq!(daemon.ask("reopen"), "");
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    assert_eq!(stage.read("log"), "one\ntwo\n");
}
