//! The handler of SIGHUP, beside others and at any moment.

use std::{fs::File, process::Command, thread};

use nix::{
    sys::{signal::Signal, stat::Mode, wait::WaitStatus},
    unistd::mkfifo,
};
use support::{Daemon, Process, Stage, eventually};

use super::{daemon, hang_up, listening, probe, rename};
use crate::{PROBE, preload};

#[test]
fn it_lives_beside_other_listeners() {
    for listener in ["signal-hook", "tokio", "sigaction", "informed-sigaction"] {
        for is_first in [true, false] {
            let stage = Stage::new();
            if !is_first && listener.ends_with("sigaction") {
                continue; // it replaces ours, as it would replace any other
            }
            let first: &[&str] = if is_first { &["--listen", listener] } else { &[] };
            let mut daemon = daemon(&stage, &[&["--stdout", "log"], first].concat());
            if !is_first {
                assert_eq!(daemon.ask(&format!("listen {listener}")), "");
            }
            for round in 1..=3 {
                rename(&stage, "log", &format!("log.{round}"));
                daemon.process.signal(Signal::SIGHUP);
                eventually("the new log", || stage.path("log").exists().then_some(()));
                let heard = if listener == "tokio" { 1 } else { round };
                assert_eq!(daemon.ask("heard"), heard.to_string(), "{listener} {is_first} {round}");
                daemon.ask(&format!("stdout {round}"));
                assert_eq!(stage.read("log"), format!("{round}\n"), "{listener} {is_first}");
            }
        }
    }
}

#[test]
fn one_that_setup_ignores_is_handled() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--ignore-signal", "SIGHUP", "--stdout", "log"]);
    rename(&stage, "log", "log.1");
    hang_up(&mut daemon);
    assert!(stage.path("log").exists());
}

/// If the handler changed it, the program would see a wrong error from its own call.
#[test]
fn errno_is_kept() {
    for options in [[].as_slice(), &["--listen", "sigaction"]] {
        let stage = Stage::new();
        stage.create_directory("logs");
        let mut daemon = daemon(&stage, &[&["--stdout", "logs/log"], options].concat());
        assert_eq!(daemon.ask("errno-after 1"), "12345", "{options:?}");
        rename(&stage, "logs", "elsewhere");
        assert_eq!(daemon.ask("errno-after 1"), "12345", "{options:?}, it fails");
        assert!(stage.read("elsewhere/log").contains("No such file"), "{}", stage.read("elsewhere/log"));
    }
}

#[test]
fn what_waits_goes_on_waiting() {
    for listener in [[].as_slice(), &["--listen", "sigaction"]] {
        let stage = Stage::new();
        mkfifo(&stage.path("input"), Mode::S_IRWXU).expect("create a FIFO");
        let mut input = File::options().read(true).write(true).open(stage.path("input")).expect("a writer");
        let mut daemon = daemon(&stage, &[&["--stdin", "input", "--stdout", "log"], listener].concat());
        rename(&stage, "log", "log.1");
        daemon.send("input");
        eventually("the wait for input", || (daemon.process.stat(3)? == "S").then_some(()));
        daemon.process.signal(Signal::SIGHUP);
        eventually("the new log", || stage.path("log").exists().then_some(()));
        std::io::Write::write_all(&mut input, b"words").expect("write");
        assert_eq!(daemon.answer(), "5", "{listener:?}");
    }
}

#[test]
fn many_at_once_end_with_the_newest_file() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stdout", "log"]);
    assert_eq!(daemon.ask("begin-lines 4"), "");
    for round in 0..200 {
        rename(&stage, "log", &format!("log.{round}"));
        daemon.process.signal(Signal::SIGHUP);
        eventually("a log", || stage.path("log").exists().then_some(()));
    }
    let counts = daemon.ask("end-lines");
    hang_up(&mut daemon);
    daemon.ask("stdout last");
    assert!(stage.read("log").ends_with("last\n"));
    let lines: usize = stage.files().iter().map(|log| stage.read(log).lines().count()).sum();
    let counts = counts.split(' ').map(|count| count.parse::<usize>().expect("a number"));
    assert_eq!(lines, counts.sum::<usize>() + 1);
}

/// signal-safety(7). The probe's own handler does allocate, which shows that this test would notice.
#[test]
fn the_handler_allocates_nothing_and_locks_nothing() {
    let Some(library) = preload::library("HANDLER_ALLOCATES_NOTHING") else { return };
    let stage = Stage::new();
    stage.create_directory("logs");
    let mut command = probe(&stage);
    let mut daemon = stage.started(command.args(["--stdout", "logs/log"]).env("LD_PRELOAD", library));
    rename(&stage, "logs/log", "logs/log.1");
    daemon.process.signal(Signal::SIGHUP);
    eventually("the new log", || stage.path("logs/log").exists().then_some(()));
    rename(&stage, "logs", "gone");
    daemon.process.signal(Signal::SIGHUP);
    eventually("the reason", || stage.read("gone/log").contains("cannot reopen").then_some(()));
    daemon.look();

    assert_eq!(daemon.ask("listen allocating"), "");
    daemon.process.signal(Signal::SIGHUP);
    assert!(matches!(daemon.wait(), WaitStatus::Signaled(_, Signal::SIGABRT, _)));
}

/// A daemon whose thread has opened the log, puts it in place when the file `go` is there, and meanwhile finds it
/// renamed.
fn daemon_with_a_late_thread(stage: &Stage) -> Option<Daemon> {
    let library = preload::library("DUP2_WAITS")?;
    let mut command = probe(stage);
    command.env("LD_PRELOAD", library).env("WAIT", stage.path("wait")).env("GO", stage.path("go"));
    let mut daemon = stage.started(command.args(["--stdout", "log"]));
    drop(stage.create("wait"));
    assert_eq!(daemon.ask("begin-to-reopen"), "");
    await_late_thread(stage);
    rename(stage, "log", "log.1");
    Some(daemon)
}

fn await_late_thread(stage: &Stage) {
    eventually("a thread with an open log", || (!stage.path("wait").exists()).then_some(()));
}

/// A thread that opened the log before it was renamed puts it in place last.
#[test]
fn a_thread_that_is_late_starts_over() {
    let stage = Stage::new();
    let Some(mut daemon) = daemon_with_a_late_thread(&stage) else { return };
    assert_eq!(daemon.ask("listen signal-hook"), "");
    hang_up(&mut daemon);

    // A process that is forked now waits for no thread, since it has none.
    let worker = Process(daemon.ask("fork").parse().expect("a process id"));
    worker.signal(Signal::SIGHUP);
    eventually("the new log", || (worker.descriptor(1)? == stage.path("log")).then_some(()));
    worker.signal(Signal::SIGKILL);

    drop(stage.create("go"));
    eventually("the thread's end", || (daemon.process.status("Threads")? == "1").then_some(()));
    assert_eq!(daemon.process.descriptor(1), Some(stage.path("log")));
    assert_eq!(daemon.process.descriptor(2), Some(stage.path("log")));
}

/// It returns when the new log is in place, whoever puts it there.
#[test]
fn a_call_waits_for_the_thread_that_is_late() {
    let stage = Stage::new();
    let Some(mut daemon) = daemon_with_a_late_thread(&stage) else { return };
    drop(stage.create("wait"));
    daemon.send("reopen");
    await_another_look(daemon.process);
    drop(stage.create("go"));
    await_late_thread(&stage); // for the call it has started over
    await_another_look(daemon.process);
    drop(stage.create("go"));
    assert_eq!(daemon.answer(), "");
    assert_eq!(daemon.process.descriptor(1), Some(stage.path("log")));
}

/// Whoever polls sleeps between two looks.
fn await_another_look(process: Process) {
    let sleeps = || process.status("voluntary_ctxt_switches")?.parse::<u64>().ok();
    let before = sleeps().expect("a number");
    eventually("some looks", || (sleeps()? > before + 3).then_some(()));
}

/// A thread may call it while another thread's handler is running.
#[test]
fn calls_and_hang_ups_do_not_wait_for_each_other() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "log"]);
    daemon.send("reopen-in-threads 4 500");
    thread::scope(|scope| {
        let process = daemon.process;
        let storm = scope.spawn(move || (0..2000).for_each(|_| process.signal(Signal::SIGHUP)));
        assert_eq!(daemon.answer(), "");
        storm.join().expect("the end of the storm");
    });
    rename(&stage, "log", "log.1");
    assert_eq!(daemon.ask("reopen"), "");
    daemon.ask("stdout one");
    assert_eq!(stage.read("log"), "one\n");
}

/// As nohup(1) has it, for the programs that it runs, too.
#[test]
fn in_the_foreground_an_ignored_signal_stays_ignored() {
    let stage = Stage::new();
    let mut command = stage.command(env!("CARGO_BIN_EXE_arrange"));
    command.args(["--ignore", "SIGHUP", "--", PROBE, "--foreground", "--reopen-logs"]);
    let _launcher = stage.start(&mut command);
    let program = stage.daemon();
    let ignored = u64::from_str_radix(program.sight.get("SigIgn"), 16).expect("a set of signals");
    assert_eq!(ignored & 1, 1);
}

#[test]
fn a_worker_reopens_its_own() {
    a_worker_of_this_reopens_its_own(probe);
}

/// As qemu-user before 8.0 does.
#[test]
fn a_worker_where_advice_about_memory_is_taken_and_not_followed() {
    let Some(library) = preload::library("MADVISE_DOES_NOTHING") else { return };
    a_worker_of_this_reopens_its_own(|stage| {
        let mut command = probe(stage);
        command.env("LD_PRELOAD", &library);
        command
    });
}

fn a_worker_of_this_reopens_its_own(program: impl FnOnce(&Stage) -> Command) {
    let stage = Stage::new();
    let mut daemon = stage.started(program(&stage).args(["--stdout", "log"]));
    assert_eq!(daemon.ask("listen signal-hook"), "");
    let worker = Process(daemon.ask("fork").parse().expect("a process id"));
    rename(&stage, "log", "log.1");
    worker.signal(Signal::SIGHUP);
    eventually("the new log", || (worker.descriptor(1)? == stage.path("log")).then_some(()));
    assert_eq!(daemon.process.descriptor(1), Some(stage.path("log.1")));
    hang_up(&mut daemon);
    assert_eq!(daemon.process.descriptor(1), Some(stage.path("log")));
    worker.signal(Signal::SIGKILL);
}

/// If it noted the state of its own descriptors, the daemon would take that for its own, and use the old log for ever.
#[test]
fn a_child_that_shares_the_memory_leaves_it_alone() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "log"]);
    rename(&stage, "log", "log.1");
    assert_eq!(daemon.ask("hang-up-in-shared-memory"), "");
    assert_eq!(stage.files(), ["log.1"]);
    daemon.process.signal(Signal::SIGHUP);
    eventually("the new log", || (daemon.process.descriptor(1)? == stage.path("log")).then_some(()));
    assert_eq!(daemon.ask("reopen"), "");
}

/// The signal may come as soon as the process exists.
#[test]
fn a_hang_up_during_the_start_does_not_end_it() {
    for _ in 0..20 {
        let stage = Stage::new();
        let mut command = probe(&stage);
        let mut launcher = command.args(["--pidfile", "pid", "--stdout", "log"]).spawn().expect("start");
        let own = Process(i32::try_from(launcher.id()).expect("a process id"));
        let status = loop {
            for process in stage.processes().into_iter().filter(|&process| process != own) {
                process.signal(Signal::SIGHUP);
            }
            if let Some(status) = launcher.try_wait().expect("wait") {
                break status;
            }
        };
        assert!(status.success(), "{status}");
        let mut daemon = stage.daemon();
        daemon.look();
    }
}
