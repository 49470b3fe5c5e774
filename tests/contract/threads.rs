//! What else runs in a program's memory when it forks, or gives up privileges.

use std::{fs, path::Path, process::Command};

use support::{Stage, is_root, needs_glibc, needs_root, needs_tools, skip};

use crate::{PROBE, preload};

/// Even if the kernel has not removed it yet.
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

/// The program did not start this thread. It starts after the program's own threads were counted.
#[test]
fn a_thread_that_the_look_up_of_the_user_starts() {
    needs_root!();
    for (detach, line) in [
        (
            "always",
            "cannot fork: 1 other thread would be lost (look-up); start threads after the fork: in `main`, or after `start`",
        ),
        (
            "never",
            "cannot give up privileges: 1 other thread would keep them (look-up); \
             start threads after that: in `main`, or after `start`",
        ),
    ] {
        let stage = Stage::new();
        let Some(mut command) = behind(&stage, "LOOK_UP_STARTS_A_THREAD") else { return };
        command.args(["--user", "nobody", "--pidfile", "pid", "--stdout", "log", "--detach", detach]);
        stage.refuses(&mut command, &format!("probe: {line}"));
    }
}

/// It has the same locks, and keeps its open files and its rights.
#[test]
fn a_process_that_shares_the_memory() {
    let refused = |cannot: &str, when: &str| {
        format!(
            "{cannot}: another process shares the memory of this one; start it after {when}: in `main`, or after `start`"
        )
    };
    for (options, line) in [
        (["--detach", "always"].as_slice(), refused("cannot fork", "the fork")),
        (&["--detach", "never", "--no-new-privs"], refused("cannot give up privileges", "that")),
    ] {
        let stage = Stage::new();
        let Some(mut command) = behind(&stage, "A_PROCESS_SHARES_MEMORY") else { return };
        stage.refuses(command.args(options), &format!("probe: {line}"));
    }
    // If nothing is changed, it does not matter.
    let stage = Stage::new();
    let Some(mut command) = behind(&stage, "A_PROCESS_SHARES_MEMORY") else { return };
    let launcher = stage.start(command.args(["--detach", "never"]));
    let mut program = stage.daemon();
    program.send("return");
    assert_eq!(launcher.end().status, 0);
}

const LOST: &str = "start threads after the fork: in `main`, or after `start`";

/// A thread without a name of its own has the program's name, as the kernel shows it. It still counts if libc does not
/// know it.
#[test]
fn a_thread_without_a_name_that_libc_does_not_know() {
    let stage = Stage::new();
    let Some(mut command) = behind(&stage, "A_THREAD_IS_NOT_LIBCS") else { return };
    stage.refuses(&mut command, &format!("probe: cannot fork: 1 other thread would be lost (unnamed); {LOST}"));
}

#[test]
fn jemallocs_thread_is_named() {
    needs_glibc!(PROBE);
    let stage = Stage::new();
    let library = format!("/usr/lib/{}-linux-gnu/libjemalloc.so.2", std::env::consts::ARCH);
    if !Path::new(&library).exists() {
        return skip("libjemalloc2");
    }
    let with = |configuration: &str| {
        let mut command = stage.command(PROBE);
        command.env("LD_PRELOAD", &library).env("MALLOC_CONF", configuration);
        command
    };
    let line = format!("probe: cannot fork: 1 other thread would be lost (jemalloc_bg_thd); {LOST}");
    stage.refuses(&mut with("background_thread:true"), &line);
    drop(stage.started(&mut with("background_thread:false")));
}

/// The emulator forks its own thread properly.
#[test]
fn an_emulators_thread_is_none_of_the_programs() {
    let stage = Stage::new();
    let qemu = format!("qemu-{}", std::env::consts::ARCH);
    needs_tools!(&qemu);
    let behind_qemu = || {
        let mut command = stage.command(&qemu);
        command.args([PROBE, "--pidfile", "pid", "--stdout", "log"]);
        command
    };
    let mut daemon = stage.started(&mut behind_qemu());
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
    assert_eq!(daemon.ask("stdout a line"), "");
    daemon.send("return");
    daemon.wait();
    fs::remove_file(stage.path("log")).expect("remove");
    let line = format!("probe: cannot fork: 2 other threads would be lost (unnamed, second); {LOST}");
    stage.refuses(behind_qemu().arg("--thread"), &line);
    // It was given a relative path, which leads nowhere from the directory where the program is now.
    let copy = stage.copy(PROBE);
    drop(stage.started(stage.command(&qemu).args(["./probe", "--go-to", "/"])));
    fs::remove_file(copy).expect("remove");
    // Whatever the program does with its ids, that thread keeps its own.
    if is_root() {
        let line = "probe: cannot give up privileges: a thread of the emulator that runs this program would keep them";
        for detach in ["always", "never"] {
            stage.refuses(behind_qemu().args(["--user", "nobody", "--detach", detach]), line);
        }
    }
}
