//! The daemon ends while the supervisor writes a line about an upgrade. The supervisor waits for the process that writes it,
//! and one SIGCHLD may stand for the ends of both.

use nix::sys::signal::Signal;
use support::{Daemon, eventually};

use super::{Service, has_ended, supervisor};
use crate::{PROBE, preload};

#[test]
fn the_daemon_is_started_again() {
    let service = Service::new();
    let Some(daemon) = daemon_that_ends_then(&service) else { return };
    let before = supervisor(&daemon);
    service.install_script("#!/bin/sh\nexit 3");
    before.signal(Signal::SIGUSR2);
    has_ended(&daemon);
    assert_eq!(supervisor(&service.stage.daemon()), before);
}

#[test]
fn the_old_supervisor_leaves() {
    let service = Service::new();
    let Some(old) = daemon_that_ends_then(&service) else { return };
    let old_supervisor = supervisor(&old);
    service.install(PROBE);
    old_supervisor.signal(Signal::SIGUSR2);
    let _new = service.stage.daemon();
    has_ended(&old);
    eventually("its end", || (!old_supervisor.is_alive()).then_some(()));
}

fn daemon_that_ends_then(service: &Service) -> Option<Daemon> {
    let library = preload::library("WRITEV_KILLS_SIBLINGS")?;
    Some(service.stage.started(service.command(&[]).env("LD_PRELOAD", library)))
}
