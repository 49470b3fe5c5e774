//! Without a detach: the same process, with its streams, signals and descriptors as they are.

use std::process::Stdio;

use support::{Process, Stage, eventually};

use crate::{ARRANGE, PROBE};

#[test]
fn only_what_the_options_say_changes() {
    let stage = Stage::new();
    let file = format!("9={}", stage.path("file").display());
    let mut command = stage.command(ARRANGE);
    command.args([
        "--ignore",
        "SIGHUP",
        "--fd",
        &file,
        "--",
        PROBE,
        "--foreground",
        "--stdout",
        "unused",
        "--umask",
        "077",
        "--chdir",
        "/usr",
    ]);
    let mut child = command.stdout(stage.create("out")).spawn().expect("start the program");
    let mut program = stage.daemon();

    assert_eq!(program.process, Process(i32::try_from(child.id()).expect("an id")), "it forked");
    assert_eq!(program.process.session(), Process::own().session());
    assert_eq!(program.sight.get("directory"), "/usr");
    assert_eq!(program.sight.get("Umask"), "0077");
    assert_eq!(program.sight.descriptors()[&1], stage.path("out").to_string_lossy());
    assert_eq!(program.sight.descriptors()[&9], stage.path("file").to_string_lossy());
    let ignored = u64::from_str_radix(program.sight.get("SigIgn"), 16).expect("a set of signals");
    assert_eq!(ignored & 1, 1, "SIGHUP is no longer ignored");
    assert_eq!(program.ask("ready"), "", "nobody waits for it");
    assert_eq!(stage.files(), ["file", "out"]);

    program.send("exit 7");
    assert_eq!(eventually("its end", || child.try_wait().expect("wait")).code(), Some(7));
}

/// A unit's `UMask=` and `WorkingDirectory=`, a shell's umask, a container's `WORKDIR`.
#[test]
fn umask_and_directory_stay_where_the_program_sets_none() {
    for options in [[].as_slice(), &["--umask", "launcher", "--chdir", "."], &["--umask-of-daemon", "077"]] {
        let stage = Stage::new();
        let mut command = stage.command(ARRANGE);
        let _program = stage.start(command.args(["--umask", "003", "--", PROBE, "--foreground"]).args(options));
        let daemon = stage.daemon();
        let sight = &daemon.sight;
        let directory = stage.directory().canonicalize().expect("a path");
        assert_eq!((sight.get("directory"), sight.get("Umask")), (directory.to_str().expect("text"), "0003"));
    }
}

#[test]
fn a_dot_is_the_directory_of_the_launch() {
    let stage = Stage::new();
    let _program = stage.start(stage.command(PROBE).args(["--foreground", "--chdir", "."]));
    let directory = stage.directory().canonicalize().expect("a path");
    assert_eq!(stage.daemon().sight.get("directory"), directory.to_string_lossy());
}

#[test]
fn a_second_thread_is_none_of_its_business() {
    let stage = Stage::new();
    let mut child = stage.command(PROBE).args(["--foreground", "--thread"]).spawn().expect("start the program");
    let mut program = stage.daemon();
    program.send("return");
    assert_eq!(eventually("its end", || child.try_wait().expect("wait")).code(), Some(0));
}

#[test]
fn what_it_cannot_do_is_an_error() {
    for (options, error) in [
        (["--umask", "1000"], "`umask` must be between 0o000 and 0o777, found 0o1000"),
        (["--chdir", "missing"], "cannot change directory to "),
    ] {
        let stage = Stage::new();
        let launch = stage.launch(stage.command(PROBE).arg("--foreground").args(options).stdin(Stdio::null()));
        assert_eq!(launch.status, 1, "{launch:?}");
        assert!(launch.stderr.starts_with(&format!("probe: {error}")), "{launch:?}");
        assert!(stage.no_daemon_reported());
    }
}
