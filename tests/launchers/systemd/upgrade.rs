//! Upgrades of a service that detaches: systemd has to know the new supervisor as the main process, or it ends the unit
//! with the old one.

use support::{Daemon, Systemd, eventually};

use super::{UNIT, boot};

const FORKING: &str = "
    [Service]
    Type=forking
    PIDFile=/run/probe.pid
    ExecStart=/usr/bin/probe --respawn on-failure,1000,60000,1,1
    ExecReload=/usr/bin/probe --pidfile /run/probe.pid --obey upgrade
";

const NOTIFY: &str = "
    [Service]
    Type=notify
    NotifyAccess=ACCESS
    ExecStart=/usr/bin/probe --notify --ready --detach always --respawn on-failure,1000,60000,1,1 --pidfile /run/probe.pid
    ExecReload=/usr/bin/probe --pidfile /run/probe.pid --obey upgrade
";

/// The supervisor leads the session.
fn running(daemon: &Daemon) -> String {
    format!("active running success {}", daemon.sight.get("session"))
}

/// Asked by a signal, and by a reload, which waits for the new daemon.
fn is_upgraded(systemd: &Systemd) {
    let mut daemon = systemd.started(UNIT);
    for ask in [["kill", "--signal=USR2", "--kill-whom=main"].as_slice(), &["reload"], &["reload"]] {
        let old = daemon;
        assert_eq!(systemd.systemctl(&[ask, &[UNIT]].concat()).status, 0, "{ask:?}");
        daemon = systemd.daemon();
        assert_ne!(daemon.sight.get("session"), old.sight.get("session"));
        eventually("the end of the old one", || (!old.process.is_alive()).then_some(()));
        systemd.reaches(UNIT, &running(&daemon));
    }
    daemon.send("crash");
    let daemon = systemd.daemon();
    assert_eq!(systemd.state(UNIT), running(&daemon), "it is supervised");
    assert_eq!(systemd.systemctl(&["stop", UNIT]).status, 0);
    assert_eq!(systemd.state(UNIT), "inactive dead success 0");
    assert!(!daemon.process.is_alive());
}

/// It reads the file once more when the old supervisor has ended.
#[test]
fn forking() {
    let Some(systemd) = boot(FORKING) else { return };
    is_upgraded(&systemd);
}

#[test]
fn notify_of_the_main_process() {
    let Some(systemd) = boot(&NOTIFY.replace("ACCESS", "main")) else { return };
    is_upgraded(&systemd);
}

#[test]
fn notify_of_everybody() {
    let Some(systemd) = boot(&NOTIFY.replace("ACCESS", "all")) else { return };
    is_upgraded(&systemd);
}

/// As the manual warns.
#[test]
fn forking_without_a_pidfile_ends_with_the_old_one() {
    let unit = FORKING.replace("PIDFile=/run/probe.pid", "").replace("--respawn", "--detach always --respawn");
    let Some(systemd) = boot(&unit) else { return };
    let old = systemd.started(UNIT);
    assert_eq!(systemd.state(UNIT), running(&old));
    assert_eq!(systemd.systemctl(&["kill", "--signal=USR2", "--kill-whom=main", UNIT]).status, 0);
    systemd.reaches(UNIT, "inactive dead success 0"); // before the new daemon could report, perhaps
    assert!(!old.process.is_alive());
}
