//! Sockets of systemd: one that waits for connections, and a process for each connection.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
};

use support::{Daemon, Systemd, eventually, needs_tools};

use crate::PROBE;

const PORT: u16 = 7000;

/// Both sockets are passed to the one service.
const LISTEN: &str = "
    [Socket]
    ListenStream=127.0.0.1:7000
    ListenStream=/run/probe.sock
";

const ACCEPT: &str = "
    [Socket]
    ListenStream=127.0.0.1:7000
    ListenStream=/run/probe.sock
    Accept=yes
";

fn listen(service: &str) -> Option<Systemd> {
    boot(&[("probe.socket", LISTEN), ("probe.service", service)])
}

fn accept(service: &str) -> Option<Systemd> {
    boot(&[("probe.socket", ACCEPT), ("probe@.service", service)])
}

fn boot(units: &[(&str, &str)]) -> Option<Systemd> {
    let systemd = Systemd::boot(&[PROBE], units)?;
    assert_eq!(systemd.start("probe.socket").status, 0);
    Some(systemd)
}

fn read(mut connection: impl Read) -> String {
    let mut text = String::new();
    connection.read_to_string(&mut text).expect("the end of a connection");
    text
}

/// The service that the first connection starts, whose listener `setup` or `main` takes by the crate `listenfd`.
fn serves(systemd: &Systemd, launched_by: &str, is_taken_in_setup: bool) -> Daemon {
    let connection = systemd.connect(PORT);
    let mut daemon = systemd.daemon();
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(daemon.sight.get("launched_by"), launched_by);
    let open = daemon.sight.descriptors();
    assert!([3, 4].iter().all(|number| open[number].starts_with("socket:")), "{open:?}");
    if !is_taken_in_setup {
        assert_eq!(daemon.ask("variable LISTEN_PID"), daemon.sight.get("pid"));
        assert_eq!(daemon.ask("listenfd"), "");
    }
    assert_eq!(daemon.ask("greet hello"), "");
    assert_eq!(read(connection), "hello");
    systemd.reaches("probe.service", &format!("active running success {}", daemon.sight.get("pid")));
    daemon
}

const ACTIVATED: &str = "socket activation: LISTEN_PID is its process id";
const FORKING: &str = "systemd with Type=forking: SYSTEMD_EXEC_PID is its process id, and PIDFILE is set";

#[test]
fn taken_in_main() {
    let Some(systemd) = listen(
        "
        [Service]
        ExecStart=/usr/bin/probe
        ",
    ) else {
        return;
    };
    let daemon = serves(&systemd, ACTIVATED, false);
    assert_eq!(daemon.sight.get("detaches"), "false");
}

#[test]
fn taken_in_setup() {
    let Some(systemd) = listen(
        "
        [Service]
        ExecStart=/usr/bin/probe --listenfd
        ",
    ) else {
        return;
    };
    serves(&systemd, ACTIVATED, true);
}

/// Exec gives it privileges, so only systemd's variables count.
#[test]
fn taken_with_file_capabilities() {
    needs_tools!("setcap");
    for (options, detaches) in [("", false), ("--detach always", true)] {
        let service = format!(
            "
            [Service]
            Type=notify
            User=nobody
            ExecStartPre=+/bin/sh -c 'setcap cap_net_bind_service+ep /usr/bin/probe'
            ExecStart=/usr/bin/probe --notify {options}
            "
        );
        let Some(systemd) = listen(&service) else { return };
        let daemon = serves(&systemd, ACTIVATED, false);
        assert_eq!(daemon.sight.get("launcher") != daemon.sight.get("pid"), detaches);
    }
}

#[test]
fn taken_by_a_daemon() {
    let Some(systemd) = listen(
        "
        [Service]
        Type=forking
        PIDFile=/run/probe.pid
        ExecStart=/usr/bin/probe
        ",
    ) else {
        return;
    };
    let daemon = serves(&systemd, FORKING, false);
    assert_ne!(daemon.sight.get("session"), daemon.sight.get("pid"), "it did not detach");
}

#[test]
fn taken_by_a_daemon_that_notifies() {
    let Some(systemd) = listen(
        "
        [Service]
        Type=notify
        ExecStart=/usr/bin/probe --notify --detach always
        ",
    ) else {
        return;
    };
    let daemon = serves(&systemd, ACTIVATED, false);
    assert_ne!(daemon.sight.get("session"), daemon.sight.get("pid"), "it did not detach");
}

#[test]
fn taken_in_the_launcher_of_a_daemon() {
    let Some(systemd) = listen(
        "
        [Service]
        Type=forking
        ExecStart=/usr/bin/probe --detach always --listenfd
        ",
    ) else {
        return;
    };
    let daemon = serves(&systemd, ACTIVATED, true);
    assert_ne!(daemon.sight.get("session"), daemon.sight.get("pid"), "it did not detach");
}

#[test]
fn a_restart_keeps_the_sockets() {
    let Some(systemd) = listen(
        "
        [Service]
        Type=forking
        PIDFile=/run/probe.pid
        ExecStart=/usr/bin/probe
        ",
    ) else {
        return;
    };
    let first = serves(&systemd, FORKING, false);
    assert_eq!(systemd.systemctl(&["stop", "probe.service"]).status, 0);
    assert!(!first.process.is_alive());
    serves(&systemd, FORKING, false);
}

/// `StandardInput=socket`, as under inetd.
#[test]
fn a_process_for_each_connection() {
    let Some(systemd) = accept(
        "
        [Service]
        StandardInput=socket
        ExecStart=/usr/bin/probe --pidfile /run/probe.pid
        ",
    ) else {
        return;
    };
    let peers = [0; 2].map(|_| {
        let mut connection = systemd.connect(PORT);
        connection.write_all(b"hello").expect("send");
        connection.shutdown(Shutdown::Write).expect("end the input");
        (connection, systemd.daemon())
    });
    assert!(!systemd.path("/run/probe.pid").exists(), "of which of them would it be?");
    for ((connection, mut daemon), unit) in peers.into_iter().zip(instances(&systemd)) {
        assert_eq!(systemd.state(&unit), format!("active running success {}", daemon.sight.get("pid")));
        assert_eq!(daemon.sight.get("launched_by"), "systemd: SYSTEMD_EXEC_PID is its process id");
        assert_eq!(daemon.sight.get("detaches"), "false");
        assert_eq!(daemon.ask("stdin"), "hello");
        daemon.ask("stdout goodbye");
        daemon.send("return");
        assert_eq!(read(connection), "goodbye\n");
    }
    eventually("the end of both", || instances(&systemd).is_empty().then_some(()));
}

/// In the order of their numbers, which is that of the connections.
fn instances(systemd: &Systemd) -> Vec<String> {
    let listed = systemd.systemctl(&["list-units", "--plain", "--no-legend", "probe@*"]).stdout;
    listed.lines().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect()
}

#[test]
fn a_connection_as_a_passed_descriptor() {
    let Some(systemd) = accept(
        "
        [Service]
        ExecStart=/usr/bin/probe --take 3
        ",
    ) else {
        return;
    };
    let connection = systemd.connect(PORT);
    let mut daemon = systemd.daemon();
    assert_eq!(daemon.sight.get("launched_by"), ACTIVATED);
    daemon.ask("write 3 hello");
    daemon.send("return");
    assert_eq!(read(connection), "hello");
}

#[test]
fn the_peer_reads_no_error_of_a_start() {
    for (stderr, said) in [
        ("inherit", ""),
        ("journal", "probe: cannot change directory to /missing: No such file or directory (os error 2)\n"),
    ] {
        let Some(systemd) = accept(&format!(
            "
            [Service]
            StandardInput=socket
            StandardError={stderr}
            ExecStart=/usr/bin/probe --chdir /missing
            "
        )) else {
            return;
        };
        assert_eq!(read(systemd.connect(PORT)), "");
        assert_eq!(read(UnixStream::connect(systemd.path("/run/probe.sock")).expect("connect")), "");
        let units = instances(&systemd);
        assert_eq!(units.len(), 2);
        for unit in units {
            systemd.reaches(&unit, "failed failed exit-code 0");
        }
        systemd.said("probe", &said.repeat(2));
    }
}
