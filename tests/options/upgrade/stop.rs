//! Stopping while two versions run, and while one of them starts.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::FileTypeExt,
    time::Duration,
};

use daemon_rt::Stopped;
use nix::sys::signal::Signal;
use support::{DEADLINE, Daemon, Process, eventually, within};

use super::{Service, content, has_ended, supervisor};
use crate::{PROBE, preload};

/// An old daemon that does not end yet, and the new one.
fn both(service: &Service, options: &[&str]) -> (Daemon, Daemon) {
    let mut old = service.started(&[&["--stop-requested"], options].concat());
    let new = service.upgraded();
    eventually("the request", || (old.ask("is-stop-requested") == "true").then_some(()));
    (old, new)
}

#[test]
fn the_old_daemon_gets_stop_timeout() {
    let service = Service::new();
    let (old, new) = both(&service, &["--stop-timeout", "300"]);
    has_ended(&old);
    let log = service.stage.read("log");
    assert!(log.contains("probe: did not stop within 300ms\n"), "{log}");
    assert!(new.process.is_alive());
    eventually("the new one alone", || (service.stage.processes().len() == 2).then_some(()));
}

/// The old daemon never learns that it was asked, so only its supervisor can end it.
#[test]
fn an_old_daemon_that_does_not_listen_gets_stop_timeout() {
    let service = Service::new();
    let old = service.started(&["--block-signal", "SIGTERM", "--stop-timeout", "300"]);
    let new = service.upgraded();
    has_ended(&old);
    assert!(new.process.is_alive());
    eventually("the new one alone", || (service.stage.processes().len() == 2).then_some(()));
}

/// It finds the old supervisor, which has left by the time of the signal.
#[test]
fn a_stop_that_an_upgrade_overtakes_stops_the_new_one() {
    let Some(library) = preload::library("SIGNAL_WAITS") else { return };
    let service = Service::new();
    let old = service.started(&[]);
    let mut command = service.stage.command(PROBE);
    let caller = service.stage.start(command.args(["--stop", "pid"]).env("LD_PRELOAD", library));
    eventually("the stop", || caller.process.stat(3).filter(|state| state == "T"));
    let old_supervisor = supervisor(&old);
    let new = service.upgraded();
    eventually("the end of the old one", || (!old_supervisor.is_alive()).then_some(()));
    caller.process.signal(Signal::SIGCONT);
    let end = caller.end();
    assert_eq!((end.status, end.stdout.as_str(), end.stderr.as_str()), (0, "Terminated\n", ""));
    has_ended(&new);
    assert_eq!(service.stage.processes(), []);
}

#[test]
fn a_reload_that_an_upgrade_overtakes_reloads_the_new_one() {
    let Some(library) = preload::library("SIGNAL_WAITS") else { return };
    let service = Service::new();
    let old = service.started(&["--reopen-logs"]);
    let mut command = service.stage.command(PROBE);
    let caller = service.stage.start(command.args(["--pidfile", "pid", "--obey", "reload"]).env("LD_PRELOAD", library));
    eventually("the stop", || caller.process.stat(3).filter(|state| state == "T"));
    let old_supervisor = supervisor(&old);
    let _new = service.upgraded();
    eventually("the end of the old one", || (!old_supervisor.is_alive()).then_some(()));
    fs::rename(service.stage.path("log"), service.stage.path("log.1")).expect("rename");
    caller.process.signal(Signal::SIGCONT);
    assert_eq!(caller.end().status, 0);
    eventually("the new log", || service.stage.path("log").exists().then_some(()));
}

#[test]
fn a_stop_means_both() {
    let service = Service::new();
    let (mut old, mut new) = both(&service, &[]);
    let pidfile = service.pidfile();
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| pidfile.stop(DEADLINE).expect("a stop"));
        eventually("the request", || (new.ask("is-stop-requested") == "true").then_some(()));
        new.send("exit 0");
        has_ended(&new);
        assert!(!stopping.is_finished(), "it waits for the old one");
        old.send("exit 0");
        assert_eq!(stopping.join().expect("a stop"), Stopped::Terminated);
    });
    assert_eq!(service.stage.processes(), []);
    assert_eq!(service.stage.files(), ["log", "probe"]);
}

#[test]
fn a_new_supervisor_that_is_killed_ends_both() {
    let service = Service::new();
    let (old, new) = both(&service, &[]);
    supervisor(&new).signal(Signal::SIGKILL);
    has_ended(&old);
    has_ended(&new);
    eventually("the end of all", || service.stage.processes().is_empty().then_some(()));
}

#[test]
fn an_old_supervisor_that_is_killed_ends_the_old_daemon() {
    let service = Service::new();
    let (old, mut new) = both(&service, &[]);
    supervisor(&old).signal(Signal::SIGKILL);
    has_ended(&old);
    assert!(!new.ask("look").is_empty());
    service.pidfile().stop(Duration::ZERO).expect("a stop");
}

/// It finds both that its daemon has ended, and that it is asked to stop.
#[test]
fn a_signal_to_the_old_supervisor_means_both_to_the_last() {
    let service = Service::new();
    let (old, mut new) = both(&service, &[]);
    let old_supervisor = supervisor(&old);
    stop(old_supervisor);
    old.process.signal(Signal::SIGKILL);
    old_supervisor.signal(Signal::SIGTERM);
    old_supervisor.signal(Signal::SIGCONT);
    eventually("the request", || (new.ask("is-stop-requested") == "true").then_some(()));
    assert!(old_supervisor.is_alive(), "it waits for the new one");
    new.send("exit 0");
    eventually("the end of all", || service.stage.processes().is_empty().then_some(()));
}

/// The new launcher has as much patience as its leader.
#[test]
fn an_old_supervisor_that_is_stopped_is_waited_for() {
    let service = Service::new();
    let launcher = service.stage.start(&mut service.command(&["--notify", "--block-signal", "SIGTERM"]));
    let mut old = service.stage.daemon();
    assert_eq!((old.ask("ready"), launcher.end().status), (String::new(), 0));
    let old_supervisor = supervisor(&old);
    old_supervisor.signal(Signal::SIGUSR2);
    let mut new = service.stage.daemon();
    stop(old_supervisor);
    new.send("ready");
    let is_given_up = within(Duration::from_secs(12), || new.process.has_pending(Signal::SIGTERM).then_some(()));
    assert_eq!(is_given_up, None);
    old_supervisor.signal(Signal::SIGCONT);
    assert_eq!(new.answer(), "");
    assert_eq!(service.stage.read("pid"), content(supervisor(&new)));
}

fn stop(process: Process) {
    process.signal(Signal::SIGSTOP);
    eventually("the stop", || process.stat(3).filter(|state| state == "T"));
}

/// Who looked before the upgrade may send the signal behind it.
#[test]
fn a_signal_to_the_old_supervisor_means_both() {
    let service = Service::new();
    let (mut old, mut new) = both(&service, &[]);
    let (old_supervisor, new_supervisor) = (supervisor(&old), supervisor(&new));
    old_supervisor.signal(Signal::SIGTERM);
    eventually("the request", || (new.ask("is-stop-requested") == "true").then_some(()));
    old.send("exit 0");
    has_ended(&old);
    assert!(old_supervisor.is_alive(), "whoever waits for it waits for both");
    new.send("exit 0");
    eventually("the end of all", || {
        (![old_supervisor, new_supervisor].map(Process::is_alive).contains(&true)).then_some(())
    });
    assert_eq!(service.stage.files(), ["log", "probe"]);
}

#[test]
fn an_upgrade_ends_with_a_stop() {
    let service = Service::new();
    let old = service.started(&[]);
    let go = service.install_waiting();
    let pidfile = service.pidfile();
    let supervisor = supervisor(&old);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| pidfile.upgrade(DEADLINE).expect_err("no upgrade"));
        let mut go = File::options().write(true).open(&go).expect("it waits");
        assert_eq!(pidfile.stop(DEADLINE).expect("a stop"), Stopped::Terminated);
        let line = format!("cannot upgrade process {}: the running daemon was asked to stop", supervisor.0);
        assert_eq!(format!("{:#}", asking.join().expect("an error")), line);
        let _ = go.write_all(b"go\n");
        assert!(go.metadata().expect("a FIFO").file_type().is_fifo());
    });
    eventually("the end of all", || service.stage.processes().is_empty().then_some(()));
    assert_eq!(service.stage.files(), ["go", "log", "probe"]);
    let _ = content(supervisor);
}

/// While the old daemon serves its last requests, the next version may come.
#[test]
fn upgrades_in_a_row() {
    let service = Service::new();
    let (mut first, second) = both(&service, &[]);
    let mut second = second;
    let third = service.upgraded();
    eventually("the request", || (second.ask("is-stop-requested") == "true").then_some(()));
    second.send("exit 0");
    has_ended(&second);
    assert!(supervisor(&first).is_alive());
    first.send("exit 0");
    has_ended(&first);
    eventually("the third alone", || (service.stage.processes().len() == 2).then_some(()));
    assert_eq!(service.stage.read("pid"), content(supervisor(&third)));
}
