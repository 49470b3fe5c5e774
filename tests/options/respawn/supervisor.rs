//! The supervisor itself: what it does on signals, what it holds, and what it survives.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use daemon_rt::{PidFile, Status};
use nix::sys::signal::Signal;
use support::{Daemon, Process, Stage, eventually, is_root, needs_root, skip};

use super::{AT_ONCE, both_end, probe, processes::Processes, supervisor, times};
use crate::PROBE;

/// How the last upgrade ended.
const UPGRADES: usize = 1;

#[test]
fn signals_to_stop_end_both() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        for options in [[].as_slice(), &["--respawn", "always,1000,1000,1,1"], &["--notify", "--ready"]] {
            let stage = Stage::new();
            let daemon = stage.started(&mut probe(&stage, options));
            let supervisor = supervisor(&daemon);
            supervisor.signal(signal);
            both_end(&daemon, supervisor);
            assert!(stage.no_daemon_reported());
        }
    }
}

#[test]
fn a_daemon_that_is_stopped_ends_too() {
    let stage = Stage::new();
    let daemon = stage.started(&mut probe(&stage, &[]));
    let supervisor = supervisor(&daemon);
    daemon.process.signal(Signal::SIGSTOP);
    eventually("the stop", || (daemon.process.stat(3)? == "T").then_some(()));
    supervisor.signal(Signal::SIGTERM);
    both_end(&daemon, supervisor);
}

#[test]
fn a_daemon_that_fails_while_it_stops_is_not_started_again() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &["--stop-requested"]));
    let supervisor = supervisor(&daemon);
    supervisor.signal(Signal::SIGTERM);
    eventually("the request", || (daemon.ask("is-stop-requested") == "true").then_some(()));
    daemon.send("exit 3");
    assert_eq!(supervisor.wait(), nix::sys::wait::WaitStatus::Exited(nix::unistd::Pid::from_raw(supervisor.0), 3));
    assert!(stage.no_daemon_reported());
}

#[test]
fn without_stop_timeout_it_waits() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &["--ignore-signal", "SIGTERM"]));
    let supervisor = supervisor(&daemon);
    supervisor.signal(Signal::SIGTERM);
    let start = Instant::now();
    eventually("some time", || (start.elapsed() > Duration::from_millis(1500)).then_some(()));
    assert!(supervisor.is_alive() && daemon.process.is_alive());
    daemon.send("exit 1");
    both_end(&daemon, supervisor);
    assert!(stage.no_daemon_reported());
}

#[test]
fn behind_stop_timeout_it_kills() {
    let stage = Stage::new();
    let daemon = stage.started(&mut probe(&stage, &["--ignore-signal", "SIGTERM", "--stop-timeout", "300"]));
    let supervisor = supervisor(&daemon);
    let start = Instant::now();
    supervisor.signal(Signal::SIGTERM);
    both_end(&daemon, supervisor);
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
    assert!(stage.read("log").contains("ended as it was asked to, signal: 9 (SIGKILL)"));
}

/// With `PTRACE_TRACEME`, its parent sees it stop at each signal, ptrace(2).
#[test]
fn a_daemon_that_has_itself_traced_is_not_taken_for_one_that_ended() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &[]));
    let supervisor = supervisor(&daemon);
    assert_eq!(daemon.ask("listen informed-sigaction SIGUSR1"), "");
    assert_eq!(daemon.ask("trace-me"), "");
    supervisor.signal(Signal::SIGUSR1);
    eventually("the signal", || (daemon.ask("heard") == "1").then_some(()));
    assert_eq!(daemon.process.status("TracerPid").as_deref(), Some("0"));
    daemon.send("crash");
    let next = stage.daemon();
    assert_eq!(next.process.parent(), supervisor.0);
    assert_eq!(stage.read("log").lines().count(), 1, "{}", stage.read("log"));
}

/// A service that stops in order closes its socket first, so that no client waits in its queue.
#[test]
fn when_it_is_asked_to_stop_it_keeps_the_pidfile_and_nothing_of_setup() {
    let stage = Stage::new();
    let options = ["--ignore-signal", "SIGTERM", "--pidfile", "pid", "--open", "kept", "--reopen-logs"];
    let daemon = stage.started(&mut probe(&stage, &options));
    let supervisor = supervisor(&daemon);
    supervisor.signal(Signal::SIGTERM);
    let open = || {
        let entries = fs::read_dir(format!("/proc/{}/fd", supervisor.0)).expect("its descriptors");
        let paths = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        let mut names: Vec<_> = paths.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
        names.sort();
        names
    };
    let upgrades = "memfd:daemon-upgrades-1 (deleted)";
    eventually("what it keeps", || (open() == ["log", "log", upgrades, "null", "pid", "pid"]).then_some(()));
    let pidfile = PidFile::new(stage.path("pid"));
    let status = pidfile.status().expect("a status");
    assert!(matches!(status, Status::Running { .. }), "{status:?}");
    let error = pidfile.upgrade(Duration::from_millis(100)).expect_err("no upgrade of one that is stopping");
    assert!(error.to_string().ends_with(": no new one has taken over within 100ms"), "{error}");
    assert!(daemon.process.is_alive());
}

/// The daemon then has last words.
#[test]
fn a_daemon_that_ends_itself_behind_stop_timeout_is_not_killed() {
    let stage = Stage::new();
    let daemon = stage.started(&mut probe(&stage, &["--stop-requested", "--stop-timeout", "300"]));
    let supervisor = supervisor(&daemon);
    supervisor.signal(Signal::SIGTERM);
    both_end(&daemon, supervisor);
    let log = stage.read("log");
    assert!(log.starts_with("probe: did not stop within 300ms\n"), "{log}");
    assert!(log.contains("ended as it was asked to, signal: 15 (SIGTERM)"), "{log}");
}

#[test]
fn other_signals_are_handed_on() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &[]));
    let supervisor = supervisor(&daemon);
    for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGALRM, Signal::SIGWINCH, Signal::SIGQUIT] {
        assert_eq!(daemon.ask(&format!("listen informed-sigaction {signal}")), "");
        let before: u32 = daemon.ask("heard").parse().expect("a number");
        supervisor.signal(signal);
        eventually(signal.as_str(), || (daemon.ask("heard").parse::<u32>() == Ok(before + 1)).then_some(()));
    }
}

/// While the daemon starts, a signal would end it, because it has no handler yet.
#[test]
fn before_it_is_ready_they_wait() {
    let stage = Stage::new();
    let launcher = stage.start(&mut probe(&stage, &["--notify"]));
    let mut daemon = stage.daemon();
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(launcher.end().status, 0);
    let supervisor = supervisor(&daemon);
    daemon.send("crash");
    let mut next = stage.daemon();
    supervisor.signal(Signal::SIGHUP);
    assert_eq!(next.ask("listen sigaction SIGHUP"), "");
    assert_eq!(next.ask("heard"), "0");
    assert_eq!(next.ask("ready"), "");
    eventually("the signal", || (next.ask("heard") == "1").then_some(()));
}

/// The next daemon has its handlers when it is ready, and without `notify` nobody knows when that is.
#[test]
fn between_two_daemons_they_wait_with_notify_and_are_dropped_without() {
    let slowly = ["--respawn", "on-failure,10,60000,500,500"];
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &slowly));
    let parent = supervisor(&daemon);
    let crash = |daemon: &mut Daemon| {
        daemon.send("crash");
        eventually("the end", || (!daemon.process.is_alive()).then_some(()));
    };
    crash(&mut daemon);
    parent.signal(Signal::SIGHUP);
    let mut next = stage.daemon();
    assert_eq!(next.ask("listen informed-sigaction SIGUSR1"), "");
    parent.signal(Signal::SIGUSR1);
    eventually("the later signal", || (next.ask("heard") == "1").then_some(()));

    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &[&slowly[..], &["--notify", "--ready"]].concat()));
    let parent = supervisor(&daemon);
    crash(&mut daemon);
    parent.signal(Signal::SIGHUP);
    parent.wait();
    assert!(stage.read("log").ends_with(" ended, signal: 1 (SIGHUP)\n"), "{}", stage.read("log"));
}

#[test]
fn a_supervisor_that_is_killed_ends_the_daemon() {
    for options in [[].as_slice(), &["--user", "nobody"], &["--chroot", "/", "--user", "nobody"]] {
        if !options.is_empty() && !is_root() {
            continue;
        }
        for crashes in 0..2 {
            let stage = Stage::new();
            stage.open_to_all();
            let mut daemon = stage.started(&mut probe(&stage, options));
            let supervisor = supervisor(&daemon);
            for _ in 0..crashes {
                daemon.send("crash");
                daemon = stage.daemon();
            }
            supervisor.signal(Signal::SIGKILL);
            both_end(&daemon, supervisor);
        }
    }
}

#[test]
fn it_does_not_end_what_the_daemon_forked() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &[]));
    let supervisor = supervisor(&daemon);
    let worker = Process(daemon.ask("spawn").parse().expect("a process"));
    supervisor.signal(Signal::SIGKILL);
    both_end(&daemon, supervisor);
    assert!(worker.is_alive());
}

#[test]
fn variables_that_the_daemon_does_not_keep_are_not_seen_in_it() {
    let stage = Stage::new();
    let mut command = probe(&stage, &["--keep-env", "PROBE_SOCKET,KEPT"]);
    let daemon = stage.started(command.env("KEPT", "this").env("SECRET", "that"));
    let environment = |process: Process| {
        let bytes = fs::read(format!("/proc/{}/environ", process.0)).expect("an environment");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    for process in [daemon.process, supervisor(&daemon)] {
        assert!(environment(process).contains("KEPT=this") && !environment(process).contains("that"), "{process:?}");
    }
}

#[test]
fn a_supervisor_that_is_stopped_starts_the_next_when_it_goes_on() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &[]));
    let supervisor = supervisor(&daemon);
    for signal in [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
        supervisor.signal(signal); // of job control: neither has a terminal
    }
    supervisor.signal(Signal::SIGSTOP);
    eventually("the stop", || (supervisor.stat(3)? == "T").then_some(()));
    daemon.send("crash");
    eventually("the end", || (daemon.process.stat(3)? == "Z").then_some(()));
    assert!(stage.no_daemon_reported());
    supervisor.signal(Signal::SIGCONT);
    assert_eq!(stage.daemon().process.parent(), supervisor.0);
}

/// It keeps root, the streams, the pidfile and what `setup` opened. Its directory keeps no file system busy.
#[test]
fn it_keeps_what_the_next_daemon_needs_and_no_more() {
    needs_root!();
    let stage = Stage::new();
    stage.open_to_all();
    for (options, own) in [
        (["--notify", "--ready", "--pidfile", "pid"].as_slice(), ["pid", "pid"].as_slice()),
        (&["--user", "nobody", "--pidfile", "pid", "--open", "kept"], &["pid", "pid", "kept"]),
        (&["--user", "nobody", "--notify", "--ready", "--stdout", "nothing"], &[]),
    ] {
        let mut daemon = stage.started(&mut probe(&stage, options));
        let supervisor = supervisor(&daemon);
        for _ in 0..3 {
            let directory = format!("/proc/{}/fd", supervisor.0);
            // It answers the daemon first, and only then closes the descriptors of the start.
            let open = eventually("its descriptors", || {
                let open = fs::read_dir(&directory).ok()?;
                let open: Vec<_> = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).collect();
                (open.len() == 3 + UPGRADES + own.len()).then_some(open)
            });
            let mut above: Vec<_> = open.iter().filter_map(|path| path.strip_prefix(stage.directory()).ok()).collect();
            above.retain(|path| *path != Path::new("log"));
            above.sort();
            let mut own: Vec<_> = own.iter().map(Path::new).collect();
            own.sort();
            assert_eq!(above, own, "{open:?}");
            assert_eq!(supervisor.status("Uid").expect("ids"), "0\t0\t0\t0");
            assert_eq!(fs::read_link(format!("/proc/{}/cwd", supervisor.0)).expect("a directory"), PathBuf::from("/"));
            daemon.send("crash");
            daemon = stage.daemon();
        }
        supervisor.signal(Signal::SIGTERM);
        both_end(&daemon, supervisor);
    }
}

#[test]
fn it_does_not_grow() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &["--pidfile", "pid", "--reopen-logs", "--notify", "--ready"]));
    let supervisor = supervisor(&daemon);
    let mut before = None;
    for round in 0..times(300) {
        daemon.send("exit 3");
        daemon = stage.daemon();
        let now = ["VmSize", "VmData", "FDSize"].map(|key| supervisor.status(key).expect("a status"));
        if round > 2 {
            assert_eq!(&now, before.get_or_insert_with(|| now.clone()), "round {round}");
        }
    }
}

#[test]
fn where_there_is_no_process_to_be_had_it_waits_and_tries_again() {
    needs_root!();
    let Some(group) = Processes::new() else { return skip("a control group that counts processes") };
    let stage = Stage::new();
    let mut command = group.command(&stage, PROBE);
    command.args(["--respawn", AT_ONCE, "--stdout", "log", "--notify", "--ready"]);
    let mut daemon = stage.started(&mut command);
    let supervisor = supervisor(&daemon);
    group.limit("1");
    daemon.send("crash");
    let line = "probe: cannot start the daemon again: EAGAIN: Try again\n";
    eventually("the line", || stage.read("log").contains(line).then_some(()));
    assert!(supervisor.is_alive() && stage.no_daemon_reported());
    let told = Instant::now();
    eventually("another attempt, in silence", || (told.elapsed() > Duration::from_millis(1200)).then_some(()));
    group.limit("max");
    let next = stage.daemon();
    assert_eq!(next.process.parent(), supervisor.0);
    assert_eq!(stage.read("log").matches("cannot start").count(), 1);
    group.limit("1"); // and while it waits, it can be stopped
    let mut next = next;
    next.send("crash");
    eventually("the end", || (!next.process.is_alive()).then_some(()));
    supervisor.signal(Signal::SIGTERM);
    both_end(&next, supervisor);
}
