//! The service under systemd, by its units.

use std::{collections::HashSet, fs};

use support::{Stage, Systemd, eventually, http::get, needs_tools};

use super::deployment::{Commands, PORT, PROGRAM, commands, events, listening, succeeds, text};
use crate::cargo::example;

const SERVICE: &str = "service.service";

#[test]
fn systemd() {
    let Some(systemd) = booted(&[("service.service", &text("service.service"))]) else { return };
    let Commands { start, reload, stop } = commands("systemd");
    systemctl(&systemd, &start);
    assert_eq!(get(systemd.connect(PORT), "/"), "200 OK: hello\n");
    let first = assert_runs(&systemd);
    assert_eq!(systemd.show(SERVICE, &["StatusText"]), "listening on 0.0.0.0:8080");
    assert_confined(&systemd, &first);

    fs::write(systemd.path("/etc/service.toml"), "greeting = \"good night\"").expect("write the configuration");
    systemctl(&systemd, &reload);
    eventually("the new greeting", || (get(systemd.connect(PORT), "/") == "200 OK: good night\n").then_some(()));
    eventually("the end of the reload", || (systemd.show(SERVICE, &["StatusText"]) == "reloaded").then_some(()));
    assert_eq!(assert_runs(&systemd), first);

    systemctl(&systemd, "systemctl restart service");
    assert_eq!(get(systemd.connect(PORT), "/"), "200 OK: good night\n");
    assert_ne!(assert_runs(&systemd), first);

    systemctl(&systemd, &stop);
    assert_eq!(systemd.state(SERVICE), "inactive dead success 0");
    let listening = listening("systemd: SYSTEMD_EXEC_PID is its process id");
    assert!(text("README.md").contains(&format!("INFO service: {listening}\n")));
    let expected = [&listening, "reloaded", "stopping", "every request is answered"];
    assert_eq!(events(&status(&systemd)), [&expected[..], &[&listening], &expected[2..]].concat());
}

#[test]
fn systemd_listens() {
    let units = ["service.socket", "service.service"].map(|name| (name, text(name)));
    let Some(systemd) = booted(&units.each_ref().map(|(name, text)| (*name, text.as_str()))) else { return };
    let Commands { start, reload, stop } = commands("systemd, which listens");
    systemctl(&systemd, &start);
    assert_eq!(systemd.state(SERVICE), "inactive dead success 0");
    assert_eq!(get(systemd.connect(PORT), "/"), "200 OK: hello\n");
    let first = assert_runs(&systemd);
    systemctl(&systemd, &reload);

    systemctl(&systemd, "systemctl stop service");
    assert_eq!(get(systemd.connect(PORT), "/"), "200 OK: hello\n", "who comes meanwhile waits");
    assert_ne!(assert_runs(&systemd), first);

    systemctl(&systemd, &stop);
    assert_eq!(systemd.state(SERVICE), "inactive dead success 0");
    assert_eq!(systemd.show("service.socket", &["ActiveState", "Result"]), "inactive success");
    let status = status(&systemd);
    assert_eq!(
        events(&status)[0],
        "listening on [::]:8080 launched_by=\"socket activation: LISTEN_PID is its process id\""
    );
}

#[test]
fn systemd_watches() {
    let impatient = text("service.service").replace("WatchdogSec=30s", "WatchdogSec=1500ms");
    let Some(systemd) = booted(&[("service.service", &impatient)]) else { return };
    systemctl(&systemd, "systemctl start service");
    let first = assert_runs(&systemd);
    let mut pings = HashSet::new();
    eventually("pings", || {
        pings.insert(systemd.show(SERVICE, &["WatchdogTimestampMonotonic"]));
        (pings.len() > 2).then_some(())
    });
    assert_eq!(assert_runs(&systemd), first);

    systemctl(&systemd, "systemctl kill --signal STOP service"); // it hangs
    eventually("another start", || (systemd.show(SERVICE, &["NRestarts", "SubState"]) == "1 running").then_some(()));
    assert_ne!(assert_runs(&systemd), first);
    assert_eq!(get(systemd.connect(PORT), "/"), "200 OK: hello\n");
}

/// Its process id.
fn assert_runs(systemd: &Systemd) -> String {
    let pid = systemd.show(SERVICE, &["MainPID"]);
    assert_eq!(systemd.state(SERVICE), format!("active running success {pid}"));
    pid
}

/// The kernel confirms what the unit asks for.
fn assert_confined(systemd: &Systemd, pid: &str) {
    let status = fs::read_to_string(systemd.path(&format!("/proc/{pid}/status"))).expect("its status");
    let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(":\t")).expect(key);
    assert_ne!(value("Uid").split('\t').next(), Some("0"));
    for (key, expected) in [("CapBnd", "0000000000000000"), ("NoNewPrivs", "1"), ("Seccomp", "2")] {
        assert_eq!(value(key), expected, "{key}");
    }
}

/// What it logged, as `systemctl status` shows it.
fn status(systemd: &Systemd) -> String {
    systemd.systemctl(&["status", "--lines=100", SERVICE]).stdout
}

fn systemctl(systemd: &Systemd, command: &str) {
    succeeds(&systemd.systemctl(&command.split(' ').skip(1).collect::<Vec<_>>()));
}

/// `systemd-analyze security` rates what is open from 0 to 10; an unconfined service has 9.6.
#[test]
fn units_are_valid() {
    needs_tools!("systemd-analyze");
    let stage = Stage::new();
    let service = example("service");
    let unit = text(SERVICE).replace(PROGRAM, service.to_str().expect("a path in UTF-8"));
    fs::write(stage.path(SERVICE), unit).expect("write the unit");
    fs::write(stage.path("service.socket"), text("service.socket")).expect("write the unit");
    let analyze = |arguments: &[&str]| stage.launch(stage.command("systemd-analyze").args(arguments));
    let verified = analyze(&["verify", "./service.service", "./service.socket"]);
    assert_eq!((verified.status, verified.stdout.as_str(), verified.stderr.as_str()), (0, "", ""));
    succeeds(&analyze(&["security", "--offline=true", "--threshold=20", "./service.service"]));
}

fn booted(units: &[(&str, &str)]) -> Option<Systemd> {
    let service = example("service");
    let systemd = Systemd::boot(&[service.to_str().expect("a path in UTF-8")], units)?;
    let program = systemd.path(PROGRAM);
    fs::create_dir_all(program.parent().expect("a directory")).expect("create a directory");
    fs::rename(systemd.path("/usr/bin/service"), program).expect("install the service");
    fs::write(systemd.path("/etc/service.toml"), "greeting = \"hello\"").expect("write the configuration");
    Some(systemd)
}
