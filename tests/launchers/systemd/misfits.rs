//! Services whose `Type=` does not fit what the program does: what systemd makes of them, as the manual tells it.

use support::{Daemon, Systemd, eventually};

use crate::PROBE;

const UNIT: &str = "probe.service";

const PROTOCOL: &str = "the service did not take the steps required by its unit configuration.";
const TIMEOUT: &str = "a timeout was exceeded.";

fn boot(service: &str, options: &str) -> Option<Systemd> {
    let service = format!("[Service]\nTimeoutStartSec=1\n{service}\nExecStart=/usr/bin/probe {options}\n");
    Systemd::boot(&[PROBE], &[(UNIT, &service)])
}

fn assert_fails(systemd: &Systemd, why: &str, result: &str) {
    let launch = systemd.start(UNIT);
    let line = format!("Job for {UNIT} failed because {why}");
    assert_eq!((launch.status, launch.stderr.lines().next()), (1, Some(line.as_str())));
    systemd.reaches(UNIT, &format!("failed failed {result} 0"));
    nothing_is_left(systemd);
}

fn nothing_is_left(systemd: &Systemd) {
    let cgroup = systemd.path("/sys/fs/cgroup/system.slice").join(UNIT);
    eventually("the end of everybody", || (!cgroup.exists()).then_some(()));
}

fn runs(systemd: &Systemd, daemon: &Daemon) {
    systemd.reaches(UNIT, &format!("active running success {}", daemon.sight.get("pid")));
}

/// The end of the launcher is the end of the service.
#[test]
fn always_detached() {
    for kind in ["simple", "exec", "oneshot"] {
        let Some(systemd) = boot(&format!("Type={kind}"), "--detach always") else { return };
        assert_eq!(systemd.start(UNIT).status, 0, "{kind}");
        systemd.reaches(UNIT, "inactive dead success 0");
        nothing_is_left(&systemd);
    }
}

#[test]
fn always_detached_oneshot_that_remains() {
    let Some(systemd) = boot("Type=oneshot\nRemainAfterExit=yes", "--detach always") else { return };
    let daemon = systemd.started(UNIT);
    systemd.reaches(UNIT, "active exited success 0");
    assert!(daemon.process.is_alive());
    assert_eq!(systemd.systemctl(&["stop", UNIT]).status, 0);
    eventually("its end", || (!daemon.process.is_alive()).then_some(()));
}

#[test]
fn always_detached_without_the_option_notify() {
    let Some(systemd) = boot("Type=notify", "--detach always") else { return };
    assert_fails(&systemd, PROTOCOL, "protocol");
}

#[test]
fn type_notify_without_the_option_notify() {
    let Some(systemd) = boot("Type=notify", "") else { return };
    assert_fails(&systemd, TIMEOUT, "timeout");
}

/// No `NOTIFY_SOCKET`, and nobody to tell.
#[test]
fn the_option_notify_without_type_notify() {
    let Some(systemd) = boot("Type=simple", "--notify") else { return };
    let mut daemon = systemd.started(UNIT);
    runs(&systemd, &daemon);
    assert_eq!(daemon.ask("ready"), "");
}

/// It looks as `Type=simple` does.
#[test]
fn forking_without_a_pidfile() {
    let Some(systemd) = boot("Type=forking", "") else { return };
    assert_fails(&systemd, TIMEOUT, "timeout");
}

#[test]
fn forking_in_the_foreground() {
    let Some(systemd) = boot("Type=forking\nPIDFile=/run/probe.pid", "--detach never") else { return };
    assert_fails(&systemd, TIMEOUT, "timeout");
}

#[test]
fn forking_with_another_pidfile() {
    let Some(systemd) = boot("Type=forking\nPIDFile=/run/probe.pid", "--pidfile /run/another.pid") else { return };
    assert_fails(&systemd, "the control process exited with error code.", "exit-code");
    let line = "probe: `pidfile` is /run/another.pid, but systemd reads /run/probe.pid, the `PIDFile=` of its unit\n";
    systemd.said("probe", line);
    assert!(!systemd.path("/run/another.pid").exists());
}

/// It looks as `Type=forking` does, and systemd finds the daemon by the pidfile. With `Type=exec` it may forget the
/// exec when the launcher is quick, and the start times out.
#[test]
fn simple_with_a_pidfile() {
    let Some(systemd) = boot("Type=simple\nPIDFile=/run/probe.pid", "") else { return };
    let daemon = systemd.started(UNIT);
    assert_eq!(daemon.sight.get("detaches"), "true");
    runs(&systemd, &daemon);
}

#[test]
fn notify_with_a_pidfile() {
    let Some(systemd) = boot("Type=notify\nPIDFile=/run/probe.pid", "--notify") else { return };
    let start = systemd.starting(UNIT);
    let mut daemon = systemd.daemon();
    assert_eq!(daemon.sight.get("detaches"), "true");
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(start.end().status, 0);
    runs(&systemd, &daemon);
}

#[test]
fn oneshot_with_a_pidfile() {
    let Some(systemd) = boot("Type=oneshot\nPIDFile=/run/probe.pid", "") else { return };
    assert_fails(&systemd, TIMEOUT, "timeout");
}

/// The start lasts as long as the program.
#[test]
fn oneshot() {
    let Some(systemd) = boot("Type=oneshot\nTimeoutStartSec=infinity", "") else { return };
    let start = systemd.starting(UNIT);
    let mut program = systemd.daemon();
    assert_eq!(systemd.state(UNIT), format!("activating start success {}", program.sight.get("pid")));
    program.send("return");
    assert_eq!(start.end().status, 0);
    assert_eq!(systemd.state(UNIT), "inactive dead success 0");
}

/// It is the shell that systemd started, and the shell is told from any other by nothing.
#[test]
fn a_shell_that_does_not_exec() {
    let shell = "ExecStart=/bin/sh -c '/usr/bin/probe; true'";
    let service = format!("[Service]\nType=simple\n{shell}\n");
    let Some(systemd) = Systemd::boot(&[PROBE], &[(UNIT, &service)]) else { return };
    assert_eq!(systemd.start(UNIT).status, 0);
    systemd.reaches(UNIT, "inactive dead success 0");
    nothing_is_left(&systemd);
}
