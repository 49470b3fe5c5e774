//! Rows of the manual's table for `detach` that need no manager: what a program makes of variables and of names.

use std::{fs, os::unix::fs::symlink, process::Command};

use support::{Daemon, Stage, needs_root, needs_tools};

use crate::PROBE;

const FORKING: &str = "systemd with Type=forking: SYSTEMD_EXEC_PID is its process id, and PIDFILE is set";
const FORKING_BEFORE_248: &str =
    "systemd with Type=forking: INVOCATION_ID and PIDFILE are set, and its parent is named systemd";
const BEFORE_248: &str = "systemd: INVOCATION_ID is set, and its parent is named systemd";

/// As systemd starts it: the variable names the very process.
fn named(stage: &Stage, variables: &str, options: &str) -> Command {
    let mut shell = stage.command("sh");
    shell.args(["-c", &format!("SYSTEMD_EXEC_PID=$$ {variables} exec {PROBE} {options}")]);
    shell
}

/// As a systemd of a version before 248 does, which sets no such variable; run by a shell of that name.
fn by_shell_named(stage: &Stage, name: &str, command: &str) -> Command {
    let shell = stage.copy("/bin/sh");
    fs::rename(shell, stage.path(name)).expect("rename");
    let mut shell = stage.command(stage.path(name));
    shell.env("INVOCATION_ID", "0123456789abcdef").args(["-c", &format!("{command}; exit $?")]);
    shell
}

fn detached(daemon: &Daemon, launched_by: &str) {
    assert_eq!((daemon.sight.get("launched_by"), daemon.sight.get("detaches")), (launched_by, "true"));
    assert_ne!(daemon.sight.get("launcher"), daemon.sight.get("pid"), "it did not fork");
}

#[test]
fn systemd_reads_the_pidfile_of_one_that_forks() {
    let stage = Stage::new();
    let daemon = stage.started(&mut named(&stage, "PIDFILE=$PWD/pid", ""));
    detached(&daemon, FORKING);
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.sight.get("pid")));
}

#[test]
fn a_pidfile_of_the_option_may_be_named_through_a_link() {
    let stage = Stage::new();
    stage.create_directory("run");
    symlink("run", stage.path("link")).expect("link");
    for path in ["run/pid", "link/pid"] {
        let daemon = stage.started(&mut named(&stage, "PIDFILE=$PWD/link/pid", &format!("--pidfile {path}")));
        assert_eq!(stage.read("run/pid"), format!("{}\n", daemon.sight.get("pid")), "{path}");
    }
}

#[test]
fn another_pidfile_than_the_one_that_systemd_reads_is_refused() {
    let stage = Stage::new();
    let directory = stage.directory().canonicalize().expect("a path").display().to_string();
    for (systemds, own) in [("missing/pid", "pid"), ("pid", "missing/pid"), ("pid", "other"), ("other/pid", "pid")] {
        let launch =
            stage.launch(&mut named(&stage, &format!("PIDFILE={directory}/{systemds}"), &format!("--pidfile {own}")));
        let line = format!(
            "probe: `pidfile` is {directory}/{own}, but systemd reads {directory}/{systemds}, the `PIDFile=` of its unit\n"
        );
        assert_eq!((launch.status, launch.stderr), (1, line));
    }
    // In the foreground systemd reads none.
    let daemon = {
        let mut program = named(&stage, "PIDFILE=$PWD/other", "--pidfile pid --detach never");
        let _launcher = stage.start(&mut program);
        stage.daemon()
    };
    assert_eq!(stage.files(), ["pid"]);
    drop(daemon);
}

#[test]
fn what_is_no_path_is_no_pidfile_of_systemds() {
    for variables in ["PIDFILE=pid", "PIDFILE="] {
        let stage = Stage::new();
        let _launcher = stage.start(&mut named(&stage, variables, ""));
        stage.daemon().assert_stays("systemd: SYSTEMD_EXEC_PID is its process id");
    }
}

#[test]
fn a_systemd_before_248_is_known_by_its_name() {
    let stage = Stage::new();
    let _launcher = stage.start(&mut by_shell_named(&stage, "systemd", PROBE));
    stage.daemon().assert_stays(BEFORE_248);
    let daemon = stage.started(&mut by_shell_named(&stage, "systemd", &format!("PIDFILE=$PWD/pid {PROBE}")));
    detached(&daemon, FORKING_BEFORE_248);
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.sight.get("pid")));
}

#[test]
fn what_a_service_starts_in_turn_is_no_service() {
    let stage = Stage::new();
    for (name, command) in [
        ("systemd", format!("SYSTEMD_EXEC_PID=1 {PROBE}")), // a newer one's, which names another process
        ("systemd", format!("env -u INVOCATION_ID {PROBE}")), // a shell of a user of that name
        ("systemd", format!("{PROBE} & wait")),             // which it does not run in the background
        ("system", PROBE.to_owned()),
    ] {
        let daemon = stage.started(&mut by_shell_named(&stage, name, &command));
        daemon.assert_detached();
    }
}

/// A program that leaves its child behind as a rule, and has not done so in time.
#[test]
fn a_parent_that_stays_is_not_waited_for_any_longer() {
    let stage = Stage::new();
    stage.started(&mut by_shell_named(&stage, "setsid", PROBE)).assert_detached();
}

/// The /proc of another pid namespace tells the name of somebody else.
#[test]
fn a_parent_that_cannot_be_seen_has_no_name() {
    needs_root!();
    let stage = Stage::new();
    let script = by_shell_named(&stage, "runsv", PROBE);
    let mut namespace = stage.command("unshare");
    namespace.args(["--pid", "--fork", "--kill-child", "sh", "-c", "\"$@\"; exec sleep 1000", "sh"]);
    let _namespace = stage.start(namespace.arg(script.get_program()).args(script.get_args()));
    stage.daemon().assert_detached();
}

/// There is nobody above the shell, or nobody whom /proc would show by that number.
#[test]
fn in_a_pid_namespace_of_its_own_it_is_supervised() {
    needs_root!();
    needs_tools!("unshare", "setsid");
    for of_its_own in [["--mount-proc"].as_slice(), &[]] {
        let stage = Stage::new();
        let mut command = stage.command("setsid");
        command.args(["--wait", "unshare", "--pid", "--fork", "--kill-child"]).args(of_its_own);
        command.args(["sh", "-c", "\"$@\"; exit $?", "sh", PROBE]).env("SUPERVISOR_ENABLED", "1");
        let launcher = stage.start(&mut command);
        let mut daemon = stage.daemon();
        let reason = "supervisord: SUPERVISOR_ENABLED is set, and it has no terminal";
        assert_eq!(daemon.sight.get("launched_by"), reason, "{of_its_own:?}");
        daemon.send("exit 7");
        assert_eq!(launcher.end().status, 7);
    }
}
