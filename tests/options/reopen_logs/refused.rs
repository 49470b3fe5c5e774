//! Logs that a start refuses, since they could never be opened anew.

use std::os::unix::fs::{chown, symlink};

use support::{Stage, needs_root};

use super::{NOBODY, daemon, directory, hang_up, listening, open_stage, probe, rename};
use crate::PROBE;

#[test]
fn a_directory_in_which_the_user_creates_nothing() {
    needs_root!();
    let stage = open_stage();
    directory(&stage, "logs", 0);
    for options in [["--stdout", "logs/log"], ["--stderr", "logs/log"], ["--stdout", "truncate:logs/log"]] {
        let stream = options[0].trim_start_matches('-');
        let (log, directory) = (stage.path("logs/log"), stage.path("logs"));
        let what = format!("cannot reopen {stream} {} as user nobody", log.display());
        let why = format!("it cannot be created in {}", directory.display());
        let remedy = "give it a directory that belongs to that user";
        let line = format!("{what}: {why} after a rotation: Permission denied (os error 13); {remedy}");
        refused(&stage, &[&options[..], &["--user", "nobody"]].concat(), &line);
        assert!(!log.exists(), "left behind");
    }
    // Root may.
    drop(daemon(&stage, &["--stdout", "logs/log"]));
}

/// Whoever created it for the user will create it again at the rotation.
#[test]
fn a_log_that_somebody_creates_for_the_user() {
    needs_root!();
    let stage = open_stage();
    directory(&stage, "logs", 0);
    let create = || {
        drop(stage.create("logs/log"));
        chown(stage.path("logs/log"), Some(NOBODY), None).expect("give it away");
    };
    create();
    let mut daemon = listening(&stage, &["--stdout", "logs/log", "--user", "nobody", "--connect"]);
    rename(&stage, "logs/log", "logs/log.1");
    create();
    hang_up(&mut daemon);
    daemon.ask("stdout one");
    assert_eq!(stage.read("logs/log"), "one\n");
    daemon.send("exit 0");
    daemon.wait();

    chown(stage.path("logs/log"), Some(0), None).expect("take it");
    let log = stage.path("logs/log");
    let line = format!(
        "cannot reopen stdout {} as user nobody: it cannot be written to: Permission denied (os error 13); give it to that user",
        log.display()
    );
    for stdout in ["logs/log", "truncate:logs/log"] {
        refused(&stage, &["--stdout", stdout, "--user", "nobody"], &line);
        assert_eq!(stage.read("logs/log"), "one\n");
    }
}

fn refused(stage: &Stage, options: &[&str], line: &str) {
    stage.refuses(probe(stage).args(options), &format!("probe: {line}"));
}

#[test]
fn outside_of_the_jail() {
    needs_root!();
    let stage = open_stage();
    directory(&stage, "jail", 0);
    directory(&stage, "jailed", 0);
    symlink("../jailed", stage.path("jail/link")).expect("link");
    for log in ["log", "jailed/log", "jail/link/log", "jail/../log"] {
        let path = stage.path(log);
        let line = format!(
            "cannot reopen stdout {}: it lies outside the root directory {}, and cannot be opened from inside",
            path.display(),
            stage.path("jail").display()
        );
        refused(&stage, &["--chroot", "jail", "--stdout", log], &line);
        assert!(!path.exists(), "left behind");
    }
    // Without the option it is only written to; and what nobody renames is not reopened.
    let device = listening(&stage, &["--chroot", "jail", "--connect", "--stdout", "/dev/null"]);
    drop((device, stage.started(stage.command(PROBE).args(["--chroot", "jail", "--connect", "--stdout", "log"]))));
}
