//! What happens while the supervisor writes a line about an upgrade. It waits for whoever writes it, and one SIGCHLD stands
//! for the end of that process and of the daemon.

use std::{fs, time::Instant};

use nix::sys::signal::Signal;
use support::{DEADLINE, Daemon, Process, eventually};

use super::{Service, has_ended, supervisor};
use crate::PROBE;

#[test]
fn a_daemon_that_ends_then_is_started_again() {
    let (service, daemon, writer) = stopped_writer("exit 3");
    let before = supervisor(&daemon);
    daemon.process.signal(Signal::SIGKILL);
    has_ended(&daemon);
    writer.signal(Signal::SIGCONT);
    assert_eq!(supervisor(&service.stage.daemon()), before);
}

#[test]
fn an_old_daemon_that_ends_then_leaves_no_supervisor() {
    let (service, old, writer) = stopped_writer(&format!("exec {PROBE} \"$@\""));
    let old_supervisor = supervisor(&old);
    let _new = service.stage.daemon();
    old.process.signal(Signal::SIGKILL);
    has_ended(&old);
    writer.signal(Signal::SIGCONT);
    eventually("the end of the old supervisor", || (!old_supervisor.is_alive()).then_some(()));
}

/// In an upgrade to that script, the process that writes the line. It is often too fast to be stopped.
fn stopped_writer(script: &str) -> (Service, Daemon, Process) {
    eventually("whoever writes", || {
        let service = Service::new();
        let daemon = service.started(&[]);
        let supervisor = supervisor(&daemon);
        let go = service.install_waiting_script(script);
        supervisor.signal(Signal::SIGUSR2);
        let another = |known: &[Process]| supervisor.children().into_iter().find(|child| !known.contains(child));
        let launcher = eventually("the new version", || another(&[daemon.process]));
        fs::write(go, "go\n").expect("open the FIFO");
        let start = Instant::now();
        let writer = loop {
            match another(&[daemon.process, launcher]) {
                Some(writer) => break writer,
                None if service.stage.read("log").contains("probe: ") || start.elapsed() > DEADLINE => return None,
                None => {}
            }
        };
        writer.signal(Signal::SIGSTOP);
        let is_stopped =
            eventually("its stop", || writer.stat(3).map_or(Some(false), |state| (state == "T").then_some(true)));
        is_stopped.then_some((service, daemon, writer))
    })
}
