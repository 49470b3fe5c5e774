//! An old daemon that does what it can to be in the way.

use std::time::{Duration, Instant};

use daemon_rt::{Status, Stopped};
use support::{Daemon, Process, eventually, is_root, needs_root};

use super::{Service, content, has_ended, supervisor};
use crate::PROBE;

/// Runs a script to its end, as the daemon.
fn run(daemon: &mut Daemon, script: &str) {
    let shell = Process(daemon.ask(&format!("shell {script}")).parse().expect("a process"));
    eventually("the end of the script", || (!shell.is_alive()).then_some(()));
}

/// Its supervisor's signal is all that it cannot ignore.
#[test]
fn one_that_ignores_its_end_is_killed_behind_stop_timeout() {
    let service = Service::new();
    let user: &[_] = if is_root() { &["--user", "nobody"] } else { &[] };
    let options = [&["--ignore-signal", "SIGTERM", "--stop-timeout", "300"], user].concat();
    let old = service.started(&options);
    let old_supervisor = supervisor(&old);
    service.install_script(&format!("#!/bin/sh\nexec {PROBE} --respawn on-failure --pidfile pid --stdout log"));
    let start = Instant::now();
    let mut new = service.upgraded();
    has_ended(&old);
    assert!(start.elapsed() >= Duration::from_millis(300));
    eventually("its end", || (!old_supervisor.is_alive()).then_some(()));
    let line = format!("probe: process {} ended as it was asked to, signal: 9 (SIGKILL)\n", old.process.0);
    assert!(service.stage.read("log").ends_with(&line), "{}", service.stage.read("log"));
    assert!(!new.ask("look").is_empty());
}

/// Without one it stays, and holds up neither the new one nor a stop.
#[test]
fn one_that_stays_is_in_nobodys_way() {
    needs_root!();
    let service = Service::new();
    let old = service.started(&["--user", "nobody", "--ignore-signal", "SIGTERM"]);
    let mut new = service.upgraded();
    assert!(old.process.is_alive());
    assert!(!new.ask("look").is_empty());
    let newer = service.upgraded();
    assert_eq!(service.stage.read("pid"), content(supervisor(&newer)));
    assert_eq!(service.pidfile().stop(Duration::from_millis(300)).expect("a stop"), Stopped::Killed);
    eventually("the end of all", || service.stage.processes().is_empty().then_some(()));
}

#[test]
fn its_signals_reach_neither_supervisor() {
    needs_root!();
    let service = Service::new();
    let ignoring = ["TERM", "INT", "USR1", "USR2", "HUP"].map(|name| format!("SIG{name}"));
    let ignoring = ignoring.iter().flat_map(|name| ["--ignore-signal", name.as_str()]);
    let options: Vec<_> = ["--user", "nobody"].into_iter().chain(ignoring).collect();
    let mut old = service.started(&options);
    let attack = |old: &mut Daemon, supervisor: Process| {
        for name in ["USR2", "TERM", "INT", "HUP", "USR1", "CONT", "STOP", "KILL"] {
            run(old, &format!("kill -s {name} {}", supervisor.0));
        }
        for name in ["USR2", "TERM", "INT", "HUP", "USR1"] {
            run(old, &format!("trap '' {name}; kill -s {name} 0"));
        }
        assert!(supervisor.is_alive());
        assert_ne!(supervisor.stat(3).as_deref(), Some("T"));
    };
    let old_supervisor = supervisor(&old);
    attack(&mut old, old_supervisor);
    assert!(service.stage.no_daemon_reported(), "nobody was upgraded");
    let new = service.upgraded();
    attack(&mut old, old_supervisor);
    attack(&mut old, supervisor(&new));
    assert!(service.stage.no_daemon_reported());
    assert_eq!(service.stage.read("pid"), content(supervisor(&new)));
    old.send("exit 0");
    has_ended(&old);
    eventually("the new one alone", || (service.stage.processes().len() == 2).then_some(()));
    assert!(new.process.is_alive());
}

/// One that was started again speaks to the supervisor while that is upgraded.
#[test]
fn rubbish_on_its_line_changes_nothing() {
    let service = Service::new();
    let options = ["--notify", "--respawn", "on-failure,10,60000,1,1"];
    let launcher = service.stage.start(&mut service.command(&options));
    let mut old = service.stage.daemon();
    assert_eq!((old.ask("ready"), launcher.end().status), (String::new(), 0));
    old.send("crash");
    let mut old = service.stage.daemon();
    assert_eq!(old.ask("to-leader 255 65536"), "");
    service.install_script(&format!("#!/bin/sh\nexec {PROBE} \"$@\" --ready"));
    let new = service.upgraded();
    has_ended(&old);
    eventually("the new one alone", || (service.stage.processes().len() == 2).then_some(()));
    assert_eq!(service.stage.read("pid"), content(supervisor(&new)));
}

/// It has the lock in common with both supervisors.
#[test]
fn what_it_does_to_its_descriptors_changes_nothing() {
    for is_closing in [false, true] {
        let service = Service::new();
        let mut old = service.started(&["--notify", "--ready", "--stop-requested", "--socket", "tcp@9"]);
        let pidfile = service.stage.path("pid").canonicalize().expect("a path");
        let number = |daemon: &Daemon| {
            let open = daemon.sight.descriptors();
            open.into_iter().find(|(_, target)| *target == pidfile.to_str().expect("a path")).expect("its pidfile").0
        };
        let spoil = |daemon: &mut Daemon| {
            let number = number(daemon);
            assert_eq!(daemon.ask("unlock pid"), "");
            if is_closing {
                for number in [number, 9, 0] {
                    assert_eq!(daemon.ask(&format!("close {number}")), "");
                }
            }
        };
        let no_second = || {
            let second = service.stage.launch(&mut service.command(&[]));
            assert!(second.stderr.contains("already running as process"), "{second:?}");
        };
        spoil(&mut old);
        no_second();
        let mut new = service.upgraded();
        no_second();
        if !is_closing {
            spoil(&mut old);
            no_second();
        }
        old.send("exit 0");
        has_ended(&old);
        eventually("the new one alone", || (service.stage.processes().len() == 2).then_some(()));
        no_second();
        match service.pidfile().status().expect("a status") {
            Status::Running { pid, .. } => assert_eq!(pid, supervisor(&new).0.cast_unsigned()),
            other => panic!("{other:?}"),
        }
        assert!(new.process.descriptor(3).is_some_and(|path| path.to_string_lossy().starts_with("socket:")));
        new.send("exit 0");
        eventually("the end of all", || service.stage.processes().is_empty().then_some(()));
    }
}
