//! Whoever asks for an upgrade and gets none.

use std::{
    fs::{self, File, Permissions},
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::PathBuf,
    thread,
    time::Duration,
};

use nix::{
    fcntl::{Flock, FlockArg},
    sys::{signal::Signal, stat::Mode},
    unistd::mkfifo,
};
use support::{DEADLINE, Daemon, Process, eventually, needs_root};

use super::{Service, content, has_ended, supervisor};
use crate::PROBE;

#[test]
fn the_time_is_over_before_it_is_ones_turn() {
    let service = Service::new();
    let old = service.started(&[]);
    let go = service.install_waiting();
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

fn launches(service: &Service) -> usize {
    service.stage.read("launches").lines().count()
}

/// The file with the results. Whoever asks for an upgrade locks it.
fn results(supervisor: Process) -> File {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", supervisor.0)).expect("its descriptors");
    let paths = descriptors.flatten().map(|descriptor| descriptor.path());
    let is_it = |path: &PathBuf| {
        fs::read_link(path).is_ok_and(|target| target.starts_with("/memfd:daemon-upgrades-1 (deleted)"))
    };
    File::open({ paths }.find(is_it).expect("the results")).expect("open")
}

fn is_locked(results: &File) -> bool {
    let another = File::open(format!("/proc/thread-self/fd/{}", results.as_raw_fd())).expect("open");
    Flock::lock(another, FlockArg::LockSharedNonblock).is_err()
}

/// Whoever asked for the second version has gone by then, or was somebody with `kill`.
#[test]
fn what_nobody_waits_for_is_not_taken_for_ones_own() {
    for (is_signal, becomes_ready) in [(false, true), (true, true), (true, false)] {
        let service = Service::new();
        let go = service.stage.path("go");
        fs::write(&go, "").expect("write");
        let first = service.started(&["--read", "go", "--notify", "--ready"]);
        let supervisor = supervisor(&first);
        fs::remove_file(&go).expect("remove");
        mkfifo(&go, Mode::S_IRWXU).expect("a FIFO");
        if becomes_ready {
            service.install(PROBE);
        } else {
            service.install_script("#!/bin/sh\nread line <go\necho no luck >&2\nexit 3");
        }
        if is_signal {
            supervisor.signal(Signal::SIGUSR2);
        } else {
            service.pidfile().upgrade(Duration::from_millis(300)).expect_err("no upgrade yet");
        }
        let waiting = File::options().write(true).open(&go).expect("it waits");
        fs::remove_file(&go).expect("remove");
        fs::write(&go, "").expect("write"); // the third version does not wait
        service.install_script(&format!("#!/bin/sh\necho >>launches\nexec {PROBE} \"$@\""));
        let (pidfile, results) = (service.pidfile(), results(supervisor));
        let asked = thread::scope(|scope| {
            let asking = scope.spawn(|| pidfile.upgrade(DEADLINE));
            eventually("its turn", || is_locked(&results).then_some(()));
            drop(waiting);
            asking.join().expect("no panic")
        });
        let is_launched = service.stage.path("launches").exists();
        let seen = (asked.map_err(|error| format!("{error:#}")), is_launched);
        assert_eq!(seen, (Ok(()), true), "{is_signal} {becomes_ready}");
        if becomes_ready {
            drop(service.stage.daemon());
        }
        let last = service.stage.daemon();
        has_ended(&first);
        eventually("the last one alone", || (service.stage.processes().len() == 2).then_some(()));
        assert_eq!(service.stage.read("pid"), content(super::supervisor(&last)));
    }
}

/// The file with the results outlives it.
#[test]
fn the_supervisor_is_killed_while_another_upgrade_is_under_way() {
    let service = Service::new();
    let old = service.started(&[]);
    let supervisor = supervisor(&old);
    let go = service.install_waiting();
    supervisor.signal(Signal::SIGUSR2);
    let _go = File::options().write(true).open(&go).expect("it waits");
    let (pidfile, results) = (service.pidfile(), results(supervisor));
    let asked = thread::scope(|scope| {
        let asking = scope.spawn(|| pidfile.upgrade(DEADLINE));
        eventually("its turn", || is_locked(&results).then_some(()));
        supervisor.signal(Signal::SIGKILL);
        asking.join().expect("no panic")
    });
    let error = format!("{:#}", asked.expect_err("no upgrade"));
    let ends = [
        format!("cannot upgrade process {}: it has ended", supervisor.0),
        format!("no running daemon holds {}", service.stage.path("pid").display()),
    ];
    assert!(ends.contains(&error), "{error}");
    eventually("the end of all", || service.stage.processes().is_empty().then_some(()));
}

/// Signals have no order, but that one is looked at first.
fn signal_and_see_it_taken(supervisor: Process, daemon: &mut Daemon) {
    assert_eq!(daemon.ask("listen informed-sigaction SIGHUP"), "");
    supervisor.signal(Signal::SIGUSR2);
    supervisor.signal(Signal::SIGHUP);
    eventually("the other signal", || (daemon.ask("heard") == "1").then_some(()));
}

#[test]
fn one_is_under_way_already() {
    let service = Service::new();
    let mut old = service.started(&[]);
    let go = service.stage.path("go");
    mkfifo(&go, Mode::S_IRWXU).expect("a FIFO");
    service.install_script(&format!("#!/bin/sh\necho >>launches\nread line <go\nexec {PROBE} \"$@\""));
    let supervisor = supervisor(&old);
    supervisor.signal(Signal::SIGUSR2);
    let go = File::options().write(true).open(&go).expect("it waits");
    let before = service.stage.processes().len();
    signal_and_see_it_taken(supervisor, &mut old);
    assert_eq!(service.stage.processes().len(), before);
    drop(go);
    let _new = service.stage.daemon();
    has_ended(&old);
    assert_eq!(launches(&service), 1);
}

#[test]
fn the_supervisor_is_about_to_leave() {
    let service = Service::new();
    let mut old = service.started(&["--ignore-signal", "SIGTERM"]);
    let old_supervisor = supervisor(&old);
    service.install_script(&format!("#!/bin/sh\necho >>launches\nexec {PROBE} \"$@\""));
    let mut new = service.upgraded();
    eventually("the four", || (service.stage.processes().len() == 4).then_some(()));
    signal_and_see_it_taken(old_supervisor, &mut old);
    assert_eq!((service.stage.processes().len(), launches(&service)), (4, 1), "another has taken over");

    old.send("exit 0");
    eventually("the two", || (service.stage.processes().len() == 2).then_some(()));
    let supervisor = supervisor(&new);
    supervisor.signal(Signal::SIGTERM);
    signal_and_see_it_taken(supervisor, &mut new);
    assert_eq!((service.stage.processes().len(), launches(&service)), (2, 1), "it was asked to stop");
}
