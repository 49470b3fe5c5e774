//! What happens while the supervisor writes a line about an upgrade. It waits for the process that writes it, and one SIGCHLD
//! may stand for the ends of that process and of the daemon. It also notes signals meanwhile.

use nix::sys::signal::Signal;
use support::{Daemon, eventually};

use super::{Service, has_ended, supervisor};
use crate::{PROBE, preload};

#[test]
fn a_daemon_that_ends_is_started_again() {
    let service = Service::new();
    let Some(daemon) = daemon_under(&service, "WRITEV_KILLS_SIBLINGS") else { return };
    let before = supervisor(&daemon);
    service.install_script("#!/bin/sh\nexit 3");
    before.signal(Signal::SIGUSR2);
    has_ended(&daemon);
    assert_eq!(supervisor(&service.stage.daemon()), before);
}

#[test]
fn behind_an_old_daemon_that_ends_its_supervisor_leaves() {
    let service = Service::new();
    let Some(old) = daemon_under(&service, "WRITEV_KILLS_SIBLINGS") else { return };
    let old_supervisor = supervisor(&old);
    service.install(PROBE);
    old_supervisor.signal(Signal::SIGUSR2);
    let _new = service.stage.daemon();
    has_ended(&old);
    eventually("its end", || (!old_supervisor.is_alive()).then_some(()));
}

/// It ended the daemon, which does nothing about SIGUSR2.
#[test]
fn another_request_is_the_supervisors() {
    let service = Service::new();
    let Some(mut daemon) = daemon_under(&service, "WRITEV_ASKS_AGAIN") else { return };
    service.install_script("#!/bin/sh\necho >>launches\nexit 3");
    supervisor(&daemon).signal(Signal::SIGUSR2);
    eventually("the second launch", || (service.stage.read("launches").lines().count() == 2).then_some(()));
    assert!(!daemon.ask("look").is_empty(), "it serves on");
}

fn daemon_under(service: &Service, lie: &str) -> Option<Daemon> {
    let library = preload::library(lie)?;
    let once = service.stage.path("once");
    drop(service.stage.create("once"));
    Some(service.stage.started(service.command(&[]).env("LD_PRELOAD", library).env("ONCE", once)))
}
