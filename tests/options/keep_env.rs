//! The environment variables that a daemon keeps.

use std::fs;

use support::Stage;

use crate::PROBE;

#[test]
fn what_it_names_is_kept_and_no_more() {
    let stage = Stage::new();
    let mut command = stage.command(PROBE);
    command.env_clear().env("PROBE_SOCKET", stage.path("probe.socket"));
    command.env("KEPT", "value").env("KEPT_NOT", "value").env("WATCHDOG_USEC", "1").env("=", "no variable");
    let launch = stage.launch(command.args(["--detach", "always", "--keep-env", "KEPT,PROBE_SOCKET,UNSET"]));
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    let mut daemon = stage.daemon();
    let environment = daemon.ask("environment-of-child");
    let names: Vec<_> = environment.split('\0').filter_map(|entry| Some(entry.split_once('=')?.0)).collect();
    assert_eq!(names, ["KEPT", "PROBE_SOCKET", "WATCHDOG_USEC"]);
    assert_eq!(daemon.ask("variable KEPT"), "value");
}

/// Secrets, and the cookies by which CI systems find what to end.
#[test]
fn what_is_removed_is_not_in_proc_either() {
    let stage = Stage::new();
    let socket = format!("PROBE_SOCKET={}", stage.path("probe.socket").display());
    for options in [[].as_slice(), &["--variable", &socket, "--variable", "KEPT=in setup"]] {
        let mut command = stage.command(PROBE);
        command.env_clear().env("FIRST", "secret").env("KEPT", "value").env("MIDDLE", "secret");
        command.env("PROBE_SOCKET", stage.path("probe.socket")).env("ZLAST", "secret").env("=", "secret");
        let launch = stage.launch(command.args(["--keep-env", "KEPT,PROBE_SOCKET"]).args(options));
        assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
        let mut daemon = stage.daemon();
        let shown = fs::read(format!("/proc/{}/environ", daemon.process.0)).expect("a process");
        let mut shown: Vec<_> = shown.split(|&byte| byte == 0).filter(|entry| !entry.is_empty()).collect();
        shown.sort_unstable();
        if options.is_empty() {
            assert_eq!(shown, [b"KEPT=value", socket.as_bytes()]);
        } else {
            // The C library has them elsewhere, and what they were goes as well.
            assert_eq!(shown, [b""; 0]);
        }
        let value = if options.is_empty() { "value" } else { "in setup" };
        assert_eq!(daemon.ask("variable KEPT"), value);
        assert_eq!(daemon.ask("environment-of-child").matches('=').count(), 2);
        assert_eq!(daemon.ask("variable FIRST"), "environment variable not found");
        let arguments = fs::read_to_string(format!("/proc/{}/cmdline", daemon.process.0)).expect("a process");
        assert!(arguments.contains("\0--keep-env\0KEPT,PROBE_SOCKET\0"), "{arguments:?}");
    }
}

#[test]
fn without_it_proc_shows_what_exec_gave() {
    let stage = Stage::new();
    let daemon = stage.started(stage.command(PROBE).env("LEFT", "alone"));
    let shown = fs::read(format!("/proc/{}/environ", daemon.process.0)).expect("a process");
    assert!(shown.split(|&byte| byte == 0).any(|entry| entry == b"LEFT=alone"));
}

#[test]
fn what_setup_set_is_kept() {
    let stage = Stage::new();
    let socket = format!("PROBE_SOCKET={}", stage.path("probe.socket").display());
    let launch = stage.launch(stage.command(PROBE).args(["--variable", "SET=in setup", "--variable", &socket]));
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    assert_eq!(stage.daemon().ask("variable SET"), "in setup");
}

#[test]
fn it_takes_names() {
    let stage = Stage::new();
    for (names, why) in
        [("PATH,", "`keep_env` has an empty name"), ("LANG=C", "`keep_env` takes names of variables, found `LANG=C`")]
    {
        let launch = stage.launch(stage.command(PROBE).args(["--keep-env", names]));
        assert_eq!((launch.status, launch.stderr), (1, format!("probe: {why}\n")));
    }
}

#[test]
fn the_environment_is_the_managers_in_the_foreground() {
    let stage = Stage::new();
    let _probe =
        stage.start(stage.command(PROBE).args(["--foreground", "--keep-env", "PROBE_SOCKET"]).env("LEFT", "alone"));
    assert_eq!(stage.daemon().ask("variable LEFT"), "alone");
}
