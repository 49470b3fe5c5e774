//! Whoever asks for an upgrade and gets none.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    thread,
    time::Duration,
};

use nix::{sys::stat::Mode, unistd::mkfifo};
use support::{DEADLINE, needs_root};

use super::{Service, supervisor};
use crate::PROBE;

#[test]
fn the_time_is_over_before_it_is_ones_turn() {
    let service = Service::new();
    let old = service.started(&[]);
    let go = service.stage.path("go");
    mkfifo(&go, Mode::S_IRWXU).expect("a FIFO");
    service.install_script(&format!("#!/bin/sh\nread line <go\nexec {PROBE} \"$@\""));
    let [first, second] = [service.pidfile(), service.pidfile()];
    thread::scope(|scope| {
        let asking = scope.spawn(|| first.upgrade(DEADLINE));
        let go = File::options().write(true).open(&go).expect("it waits");
        let error = second.upgrade(Duration::from_millis(200)).expect_err("no upgrade");
        let why = "another upgrade was not over within 200ms";
        assert_eq!(format!("{error:#}"), format!("cannot upgrade process {}: {why}", supervisor(&old).0));
        drop(go);
        asking.join().expect("no panic").expect("its upgrade");
    });
    drop(service.stage.daemon());
}

#[test]
fn an_ordinary_user_asks_the_supervisor_of_root() {
    needs_root!();
    let service = Service::new();
    let mut daemon = service.started(&[]);
    fs::set_permissions(service.stage.path("pid"), Permissions::from_mode(0o644)).expect("set the mode");
    let mut command = service.stage.command_of_nobody(&service.program);
    let said = service.stage.launch(command.args(["--pidfile", "pid", "--obey", "upgrade"]));
    let line = format!("probe: cannot upgrade process {}: Permission denied (os error 13)\n", supervisor(&daemon).0);
    assert_eq!((said.status, said.stderr), (4, line));
    assert!(!daemon.ask("look").is_empty());
    assert!(service.stage.no_daemon_reported());
}
