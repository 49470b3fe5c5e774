//! Who else runs in a program's memory when it forks, or gives up privileges.

use std::process::Command;

use support::{Stage, is_root};

mod preload;

const PROBE: &str = env!("CARGO_BIN_EXE_probe");

/// Though the kernel has not put it away yet.
#[test]
fn a_joined_thread_is_none_in_1000_starts() {
    let stage = Stage::new();
    for start in 0..1000 {
        let launch = stage.launch(stage.command(PROBE).arg("--joined-thread"));
        assert_eq!((launch.status, launch.stderr.as_str()), (0, ""), "start {start}");
        let mut daemon = stage.daemon();
        daemon.send("exit 0");
        daemon.wait();
    }
}

fn behind(stage: &Stage, lie: &str) -> Option<Command> {
    let library = preload::library(lie)?;
    let mut command = stage.command(PROBE);
    command.env("LD_PRELOAD", library);
    Some(command)
}

/// It is no thread of the program's, and starts when the program's own were counted already.
#[test]
fn a_thread_that_the_look_up_of_the_user_starts() {
    if !is_root() {
        return;
    }
    for (detach, line) in [
        (
            "always",
            "cannot fork: 1 other thread would be lost (look-up); start threads in `main`, which runs after the fork",
        ),
        (
            "never",
            "cannot give up privileges: 1 other thread would keep them (look-up); \
             start threads in `main`, which runs without them",
        ),
    ] {
        let stage = Stage::new();
        let Some(mut command) = behind(&stage, "LOOK_UP_STARTS_A_THREAD") else { return };
        command.args(["--user", "nobody", "--pidfile", "pid", "--stdout", "log", "--detach", detach]);
        stage.refuses(&mut command, &format!("probe: {line}"));
    }
}

/// It has the same locks, and what it has open and may do stays with it.
#[test]
fn a_process_that_shares_the_memory() {
    let why = "another process shares the memory of this one; start it in `main`, which runs";
    for (options, line) in [
        (["--detach", "always"].as_slice(), format!("cannot fork: {why} after the fork")),
        (&["--detach", "never", "--no-new-privs"], format!("cannot give up privileges: {why} without them")),
    ] {
        let stage = Stage::new();
        let Some(mut command) = behind(&stage, "A_PROCESS_SHARES_MEMORY") else { return };
        stage.refuses(command.args(options), &format!("probe: {line}"));
    }
    // Where nothing changes, it is nobody's business.
    let stage = Stage::new();
    let Some(mut command) = behind(&stage, "A_PROCESS_SHARES_MEMORY") else { return };
    let launcher = stage.start(command.args(["--detach", "never"]));
    let mut program = stage.daemon();
    program.send("return");
    assert_eq!(launcher.end().status, 0);
}
