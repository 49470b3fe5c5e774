//! A service of the real systemd, of every `Type=` that fits, and what `systemctl` does with it.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use support::{Daemon, Systemd, eventually, needs_tools};

use crate::PROBE;

mod misfits;
mod restart;
mod sockets;
mod upgrade;
mod whose_manager;

const UNIT: &str = "probe.service";

const SIMPLE: &str = "
    [Service]
    Type=simple
    ExecStart=/usr/bin/probe
    ExecReload=/bin/kill -HUP $MAINPID
";

const NOTIFY: &str = "
    [Service]
    Type=notify
    ExecStart=/usr/bin/probe --notify
";

/// Under `NotifyAccess=main`, the default of this type.
const NOTIFY_DETACHED: &str = "
    [Service]
    Type=notify
    ExecStart=/usr/bin/probe --notify --detach always
";

const FORKING: &str = "
    [Service]
    Type=forking
    RuntimeDirectory=probe
    PIDFile=%t/probe/pid
    ExecStart=/usr/bin/probe
    ExecReload=/bin/kill -HUP $MAINPID
";

fn boot(service: &str) -> Option<Systemd> {
    Systemd::boot(&[PROBE], &[(UNIT, service)])
}

fn running(daemon: &Daemon) -> String {
    format!("active running success {}", daemon.sight.get("pid"))
}

fn assert_stays(daemon: &Daemon) {
    assert_eq!(daemon.sight.get("launched_by"), "systemd: SYSTEMD_EXEC_PID is its process id");
    assert_eq!(daemon.sight.get("session"), daemon.sight.get("pid"), "systemd makes it a session leader");
}

fn assert_detached(daemon: &Daemon) {
    assert_ne!(daemon.sight.get("session"), daemon.sight.get("pid"), "it leads a session");
}

#[test]
fn simple() {
    let Some(systemd) = boot(SIMPLE) else { return };
    runs_in_the_foreground(&systemd);
}

#[test]
fn simple_of_a_users_manager() {
    let Some(systemd) = boot(SIMPLE) else { return };
    runs_in_the_foreground(&systemd.of_user());
}

#[test]
fn exec() {
    let Some(systemd) = boot(
        "
        [Service]
        Type=exec
        ExecStart=/usr/bin/probe
        ",
    ) else {
        return;
    };
    runs_in_the_foreground(&systemd);
}

fn runs_in_the_foreground(systemd: &Systemd) {
    let mut daemon = systemd.started(UNIT);
    assert_eq!(systemd.state(UNIT), running(&daemon));
    assert_stays(&daemon);
    daemon.ask("stdout hello");
    systemd.said("probe", "hello\n");
}

#[test]
fn notify() {
    let Some(systemd) = boot(NOTIFY) else { return };
    assert_stays(&is_active_when_ready(&systemd));
}

/// By whoever: systemd learns from the service that it stops, and waits for its end.
#[test]
fn a_service_that_was_asked_to_stop() {
    let asks = NOTIFY.replace("--notify", "--notify --ready --stop-requested --stop-timeout 3000");
    let Some(systemd) = boot(&asks) else { return };
    for (end, state) in [("return", "inactive dead success 0"), ("return-status 7", "failed failed exit-code 0")] {
        let mut daemon = systemd.started(UNIT);
        daemon.process.signal(Signal::SIGTERM);
        systemd.reaches(UNIT, &format!("deactivating stop-sigterm success {}", daemon.sight.get("pid")));
        daemon.send(end);
        systemd.reaches(UNIT, state);
    }
    let _daemon = systemd.started(UNIT);
    assert_eq!(systemd.systemctl(&["stop", UNIT]).status, 0);
    assert_eq!(systemd.state(UNIT), "inactive dead success 0");
    systemd.said("probe", "probe: did not stop within 3s\n");
}

#[test]
fn notify_of_a_users_manager() {
    let Some(systemd) = boot(NOTIFY) else { return };
    assert_stays(&is_active_when_ready(&systemd.of_user()));
}

#[test]
fn notify_detached() {
    let Some(systemd) = boot(NOTIFY_DETACHED) else { return };
    assert_detached(&is_active_when_ready(&systemd));
}

#[test]
fn notify_without_privileges() {
    let Some(systemd) = boot(
        "
        [Service]
        Type=notify
        ExecStart=/usr/bin/probe --notify --user nobody
        ",
    ) else {
        return;
    };
    assert_is_nobody(&is_active_when_ready(&systemd));
}

/// Exec gives it privileges, so only systemd's variables count.
#[test]
fn notify_with_file_capabilities() {
    needs_tools!("setcap");
    let Some(systemd) = boot(
        "
        [Service]
        Type=notify
        User=nobody
        ExecStartPre=+/bin/sh -c 'setcap cap_net_bind_service+ep /usr/bin/probe'
        ExecStart=/usr/bin/probe --notify
        ",
    ) else {
        return;
    };
    let daemon = is_active_when_ready(&systemd);
    daemon.assert_stays("systemd: SYSTEMD_EXEC_PID is its process id, and its parent is process 1");
    assert_eq!(daemon.process.status("CapEff").as_deref(), Some("0000000000000400"), "cap_net_bind_service");
}

fn is_active_when_ready(systemd: &Systemd) -> Daemon {
    let start = systemd.starting(UNIT);
    let mut daemon = systemd.daemon();
    for _ in 0..3 {
        assert_eq!(systemd.show(UNIT, &["ActiveState", "SubState"]), "activating start", "it did not wait");
    }
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(start.end().status, 0);
    assert_eq!(systemd.state(UNIT), running(&daemon));
    daemon
}

/// systemd hears nothing from the daemon until it is the main process.
#[test]
fn what_is_said_behind_ready_is_heard() {
    let Some(systemd) = boot(
        "
        [Unit]
        StartLimitIntervalSec=0
        [Service]
        Type=notify
        ExecStart=/usr/bin/probe --notify --detach always
        ",
    ) else {
        return;
    };
    for _ in 0..10 {
        let start = systemd.starting(UNIT);
        let mut daemon = systemd.daemon();
        assert_eq!(daemon.ask("ready"), "");
        assert_eq!(daemon.ask("notify STATUS=serving"), "");
        assert_eq!(start.end().status, 0);
        assert_eq!(systemd.show(UNIT, &["StatusText"]), "serving");
        assert_eq!(systemd.systemctl(&["stop", UNIT]).status, 0);
    }
}

#[test]
fn watchdog() {
    is_fed_and_starved(NOTIFY);
}

#[test]
fn watchdog_of_one_that_detached() {
    is_fed_and_starved(NOTIFY_DETACHED);
}

fn is_fed_and_starved(service: &str) {
    let Some(systemd) = boot(&(service.to_owned() + "WatchdogSec=2s\n")) else { return };
    let mut daemon = is_active_when_ready(&systemd);
    assert_eq!(daemon.ask("variable WATCHDOG_PID"), daemon.sight.get("pid"));
    assert_eq!(daemon.ask("watchdog"), "Some(2s)");
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        assert_eq!(daemon.ask("notify WATCHDOG=1"), "");
        thread::sleep(Duration::from_millis(50)); // the time is what is tested
    }
    assert_eq!(systemd.state(UNIT), running(&daemon));
    systemd.reaches(UNIT, "failed failed watchdog 0");
}

#[test]
fn forking() {
    let Some(systemd) = boot(FORKING) else { return };
    runs_detached(&systemd, "/run/probe/pid");
}

#[test]
fn forking_of_a_users_manager() {
    let Some(systemd) = boot(FORKING) else { return };
    runs_detached(&systemd.of_user(), "/run/user/probe/pid");
}

/// `PIDFile=` may be reached by another way, /var/run.
#[test]
fn forking_with_the_pidfile_in_the_program_too() {
    let Some(systemd) = boot(
        "
        [Service]
        Type=forking
        PIDFile=/run/probe.pid
        ExecStart=/usr/bin/probe --pidfile /var/run/probe.pid
        ",
    ) else {
        return;
    };
    runs_detached(&systemd, "/run/probe.pid");
}

#[test]
fn forking_as_an_ordinary_user() {
    let Some(systemd) = boot(
        "
        [Service]
        Type=forking
        User=nobody
        RuntimeDirectory=probe
        PIDFile=/run/probe/pid
        ExecStart=/usr/bin/probe
        ",
    ) else {
        return;
    };
    assert_is_nobody(&runs_detached(&systemd, "/run/probe/pid"));
}

#[test]
fn forking_without_privileges() {
    let Some(systemd) = boot(
        "
        [Service]
        Type=forking
        PIDFile=/run/probe.pid
        ExecStart=/usr/bin/probe --user nobody
        ",
    ) else {
        return;
    };
    assert_is_nobody(&runs_detached(&systemd, "/run/probe.pid"));
}

fn assert_is_nobody(daemon: &Daemon) {
    assert_eq!(daemon.process.status("Uid"), Some(["65534"; 4].join("\t")));
}

fn runs_detached(systemd: &Systemd, pidfile: &str) -> Daemon {
    let daemon = systemd.started(UNIT);
    assert_eq!(systemd.state(UNIT), running(&daemon));
    assert_detached(&daemon);
    assert_eq!(
        daemon.sight.get("launched_by"),
        "systemd with Type=forking: SYSTEMD_EXEC_PID is its process id, and PIDFILE is set"
    );
    assert_eq!(
        fs::read_to_string(systemd.path(pidfile)).expect("a pidfile"),
        daemon.sight.get("pid").to_owned() + "\n"
    );
    daemon
}

/// systemd guesses who is the daemon, when the launcher has exited. Nobody but the daemon may be left then.
#[test]
fn forking_without_a_pidfile() {
    let Some(systemd) = boot(
        "
        [Unit]
        StartLimitIntervalSec=0
        [Service]
        Type=forking
        ExecStart=/usr/bin/probe --detach always
        ",
    ) else {
        return;
    };
    for _ in 0..20 {
        assert_eq!(systemd.systemctl(&["restart", UNIT]).status, 0);
        let daemon = systemd.daemon();
        assert_eq!(systemd.state(UNIT), running(&daemon));
        assert_detached(&daemon);
    }
}

#[test]
fn in_a_sandbox() {
    const SANDBOX: &str = "
        User=nobody
        CapabilityBoundingSet=
        LockPersonality=yes
        MemoryDenyWriteExecute=yes
        NoNewPrivileges=yes
        PrivateDevices=yes
        PrivateNetwork=yes
        ProtectControlGroups=yes
        ProtectHome=yes
        ProtectKernelTunables=yes
        ProtectProc=invisible
        ProcSubset=pid
        ProtectSystem=strict
        RestrictAddressFamilies=AF_UNIX
        RestrictNamespaces=yes
        RestrictRealtime=yes
        RuntimeDirectory=probe
        SystemCallArchitectures=native
        SystemCallFilter=@system-service
        SystemCallFilter=~@privileged @resources
        ";
    if let Some(systemd) = boot(&(NOTIFY.to_owned() + SANDBOX)) {
        assert_stays(&is_active_when_ready(&systemd));
    }
    if let Some(systemd) = boot(&(FORKING.to_owned() + SANDBOX)) {
        runs_detached(&systemd, "/run/probe/pid");
    }
}

#[test]
fn umask_and_directory_of_the_unit_stay() {
    let service = format!("{SIMPLE}\nUMask=0003\nWorkingDirectory=/usr\n");
    let Some(systemd) = boot(&service) else { return };
    let daemon = systemd.started(UNIT);
    let sight = &daemon.sight;
    assert_eq!((sight.get("Umask"), sight.get("directory")), ("0003", "/usr"));
}

#[test]
fn a_start_that_fails_says_why() {
    for (kind, status) in [("simple", "1"), ("exec", "1"), ("notify", "1"), ("forking", "0")] {
        let Some(systemd) = boot(&format!(
            "
            [Service]
            Type={kind}
            ExecStart=/usr/bin/probe --chdir /missing
            "
        )) else {
            return;
        };
        let _ = systemd.start(UNIT); // of the first two types it may be over before the end is seen
        systemd.reaches(UNIT, "failed failed exit-code 0");
        assert_eq!(systemd.show(UNIT, &["ExecMainStatus"]), status, "{kind}");
        systemd.said("probe", "probe: cannot change directory to /missing: No such file or directory (os error 2)\n");
    }
}

/// `systemctl status` shows it, to whom the journal is closed, too.
#[test]
fn a_failure_is_the_status_of_the_service() {
    for detach in ["auto", "always"] {
        let Some(systemd) = boot(&format!(
            "
            [Service]
            Type=notify
            ExecStart=/usr/bin/probe --notify --detach {detach} --chdir /missing
            "
        )) else {
            return;
        };
        assert_eq!(systemd.start(UNIT).status, 1);
        systemd.reaches(UNIT, "failed failed exit-code 0");
        let why = "2 cannot change directory to /missing: No such file or directory (os error 2)";
        assert_eq!(systemd.show(UNIT, &["StatusErrno", "StatusText"]), why);
    }
}

#[test]
fn reload_stop_and_start_again() {
    for service in [SIMPLE, FORKING] {
        let Some(systemd) = boot(service) else { return };
        let mut first = systemd.started(UNIT);
        first.ask("block-signal SIGHUP");
        assert_eq!(systemd.systemctl(&["reload", UNIT]).status, 0);
        eventually("SIGHUP", || first.process.has_pending(Signal::SIGHUP).then_some(()));
        assert_eq!(systemd.state(UNIT), running(&first));

        assert_eq!(systemd.systemctl(&["restart", UNIT]).status, 0);
        let second = systemd.daemon();
        assert!(!first.process.is_alive(), "the first one was left");
        assert_eq!(systemd.state(UNIT), running(&second));

        assert_eq!(systemd.systemctl(&["stop", UNIT]).status, 0);
        assert_eq!(systemd.state(UNIT), "inactive dead success 0");
        assert!(!second.process.is_alive(), "the second one was left");
        assert!(!systemd.path("/run/probe/pid").exists(), "the pidfile was left");

        let third = systemd.started(UNIT);
        assert_eq!(systemd.state(UNIT), running(&third));
    }
}

#[test]
fn restart_after_a_crash() {
    for service in [SIMPLE, FORKING] {
        let Some(systemd) = boot(&(service.to_owned() + "Restart=on-failure\nRestartSec=0")) else { return };
        let mut first = systemd.started(UNIT);
        first.send("abort");
        let second = systemd.daemon();
        systemd.reaches(UNIT, &running(&second));
        assert_eq!(systemd.show(UNIT, &["NRestarts"]), "1");
    }
}

/// `STOPPING=1`: systemd knows of the end while the process is still there, and before any signal.
#[test]
fn the_end_of_main_is_the_start_of_the_stop() {
    for service in [NOTIFY, NOTIFY_DETACHED] {
        let Some(systemd) = boot(service) else { return };
        let mut daemon = is_active_when_ready(&systemd);
        daemon.ask("block-signal SIGTERM");
        daemon.ask("stay-at-exit");
        daemon.send("return");
        systemd.reaches(UNIT, &format!("deactivating stop-sigterm success {}", daemon.sight.get("pid")));
        assert!(!daemon.process.has_pending(Signal::SIGTERM), "it was systemd that stopped it");
        daemon.process.signal(Signal::SIGKILL);
    }
}
