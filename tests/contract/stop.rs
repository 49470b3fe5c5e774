//! SIGTERM and SIGINT, if the program does not handle them: the pidfile is removed with the daemon, and process 1 ends,
//! too.

use std::{
    fs::{self, File},
    process::Command,
    thread,
    time::Duration,
};

use nix::sys::{signal::Signal, wait::WaitStatus};
use support::{Daemon, Launcher, Process, Stage, eventually, needs_root, needs_tools};

use crate::{ARRANGE, CLIENT, PROBE, preload};

pub(super) const SIGNALS: [Signal; 2] = [Signal::SIGTERM, Signal::SIGINT];

pub(super) const NOTHING: [&str; 0] = [];

/// A test that runs in the background of a script has SIGINT ignored, POSIX sh 2.11.
pub(super) fn probe(stage: &Stage, options: &[&str]) -> Command {
    let mut command = stage.command(ARRANGE);
    command.args(["--default", "SIGTERM", "--default", "SIGINT", "--", PROBE]).args(options);
    command
}

pub(super) fn in_foreground(stage: &Stage, options: &[&str]) -> (Launcher, Daemon) {
    let launcher = stage.start(probe(stage, options).arg("--foreground"));
    (launcher, stage.daemon())
}

/// The first process of a pid namespace, or the one below these.
fn process_1(stage: &Stage, above: &[&str], options: &[&str]) -> (Launcher, Daemon) {
    let command = [above, &[PROBE], options].concat();
    let launcher = stage.start(stage.first_process(command[0]).args(&command[1..]));
    (launcher, stage.daemon())
}

fn ends_by(daemon: &Daemon, signal: Signal) {
    daemon.process.signal(signal);
    let status = daemon.wait();
    assert!(matches!(status, WaitStatus::Signaled(_, by, _) if by == signal), "{status:?}");
}

fn end_all(stage: &Stage) {
    eventually("the end of all", || {
        let left = stage.processes();
        for process in &left {
            process.signal(Signal::SIGTERM);
        }
        left.is_empty().then_some(())
    });
}

/// Whether the process has a handler for it, proc(5).
fn catches(process: Process, signal: Signal) -> bool {
    let caught = process.status("SigCgt").expect("a process that runs");
    u64::from_str_radix(&caught, 16).expect("a set of signals") & (1 << (signal as i32 - 1)) != 0
}

#[test]
fn the_pidfile_goes_and_the_signal_ends_the_daemon() {
    for signal in SIGNALS {
        let stage = Stage::new();
        let daemon = stage.started(&mut probe(&stage, &["--pidfile", "pid"]));
        ends_by(&daemon, signal);
        assert_eq!(stage.files(), NOTHING, "{signal}");

        let (launcher, daemon) = in_foreground(&stage, &["--pidfile", "pid"]);
        daemon.process.signal(signal);
        assert_eq!(launcher.end().status, 128 + signal as i32);
        assert_eq!(stage.files(), NOTHING, "{signal} in the foreground");
    }
}

/// The same in a program without the attribute.
#[test]
fn it_goes_where_the_start_was_called() {
    for start in ["start --pidfile pid", "start --pidfile pid --foreground"] {
        let stage = Stage::new();
        let _launcher = stage.start(stage.command(CLIENT).args(start.split(' ')));
        let daemon = stage.daemon();
        daemon.process.signal(Signal::SIGTERM);
        eventually("its end", || (!daemon.process.is_alive()).then_some(()));
        assert_eq!(stage.files(), NOTHING, "{start}");
    }
}

#[test]
fn without_a_pidfile_nothing_is_handled() {
    for options in [&[][..], &["--foreground"]] {
        let stage = Stage::new();
        let _launcher = stage.start(&mut probe(&stage, options));
        let daemon = stage.daemon();
        assert_eq!(SIGNALS.map(|signal| catches(daemon.process, signal)), [false; 2], "{options:?}");
    }
}

#[test]
fn process_1_ends_with_the_status_that_a_shell_has_for_the_signal() {
    needs_root!();
    for options in [&[][..], &["--pidfile", "pid"]] {
        for signal in SIGNALS {
            let stage = Stage::new();
            let (launcher, program) = process_1(&stage, &[ARRANGE, "--default", "SIGINT", "--"], options);
            program.process.signal(signal);
            assert_eq!(launcher.end().status, 128 + signal as i32, "{options:?}");
            assert_eq!(stage.files(), NOTHING, "{options:?} {signal}");
        }
    }
}

#[test]
fn below_the_small_init_of_a_container_the_signal_ends_it() {
    needs_root!();
    needs_tools!("tini");
    let stage = Stage::new();
    let (launcher, program) = process_1(&stage, &["tini", "--"], &["--pidfile", "pid"]);
    Process(program.process.parent()).signal(Signal::SIGTERM);
    assert_eq!(launcher.end().status, 128 + 15);
    assert_eq!(stage.files(), NOTHING);
}

#[test]
fn a_worker_ends_by_default_and_leaves_the_pidfile() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &["--pidfile", "pid"]));
    for signal in SIGNALS {
        let worker = Process(daemon.ask("fork").parse().expect("a process id"));
        worker.signal(signal);
        eventually("the worker's end", || (!worker.is_alive()).then_some(()));
        assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0), "{signal}");
    }
    ends_by(&daemon, Signal::SIGTERM);
    assert_eq!(stage.files(), NOTHING);
}

/// Both have the same number, but they are different processes: only the kernel can tell them apart.
#[test]
fn a_worker_that_is_process_1_as_well_leaves_the_pidfile() {
    needs_root!();
    for options in [&[][..], &["--pidfile", "pid"]] {
        let stage = Stage::new();
        let (launcher, mut program) = process_1(&stage, &[], options);
        program.ask("fork-as-process-1");
        let is_worker = |process: &Process| process.parent() == program.process.0;
        let worker = eventually("a worker", || stage.processes().into_iter().find(is_worker));
        assert_eq!(worker.status("NSpid").expect("its numbers").split_whitespace().last(), Some("1"));
        worker.signal(Signal::SIGTERM);
        eventually("its default action", || (!catches(worker, Signal::SIGTERM)).then_some(()));
        assert!(worker.is_alive(), "which is none, pid_namespaces(7)");
        assert_eq!(stage.files().len(), options.len() / 2);
        program.process.signal(Signal::SIGTERM);
        assert_eq!(launcher.end().status, 128 + 15);
        assert_eq!(stage.files(), NOTHING);
    }
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let stage = Stage::new();
    let ignored = ["--ignore-signal", "SIGTERM", "--ignore-signal", "SIGINT"];
    let mut daemon = stage.started(probe(&stage, &["--pidfile", "pid"]).args(ignored));
    for signal in SIGNALS {
        daemon.process.signal(signal);
        daemon.look();
    }
    daemon.send("return");
    daemon.wait();

    let mut command = stage.command(ARRANGE);
    command.args(["--ignore", "SIGINT", "--", PROBE, "--pidfile", "pid", "--foreground"]);
    let launcher = stage.start(&mut command);
    let mut program = stage.daemon();
    program.process.signal(Signal::SIGINT);
    program.look();
    program.process.signal(Signal::SIGTERM);
    assert_eq!(launcher.end().status, 128 + 15);
    assert_eq!(stage.files(), NOTHING);
}

/// The start gives such a signal its default action, daemon(7), and so it ends the daemon.
#[test]
fn a_signal_that_the_launcher_ignored_ends_the_daemon() {
    let stage = Stage::new();
    let mut command = stage.command(ARRANGE);
    let daemon = stage.started(command.args(["--ignore", "SIGINT", "--", PROBE, "--pidfile", "pid"]));
    ends_by(&daemon, Signal::SIGINT);
    assert_eq!(stage.files(), NOTHING);
}

#[test]
fn a_handler_of_setup_wins() {
    for options in [&[][..], &["--foreground"]] {
        let stage = Stage::new();
        let _launcher = stage.start(probe(&stage, &["--pidfile", "pid", "--exit-on", "SIGTERM"]).args(options));
        let daemon = stage.daemon();
        daemon.process.signal(Signal::SIGTERM);
        eventually("its end", || (!daemon.process.is_alive()).then_some(()));
        assert_eq!(stage.files(), ["pid"], "{options:?}: it left by `_exit`");
    }
}

/// Some of them call the handler that was there before.
#[test]
fn a_handler_of_main_wins() {
    for listener in ["signal-hook", "tokio", "sigaction", "informed-sigaction"] {
        let stage = Stage::new();
        let mut daemon = stage.started(&mut probe(&stage, &["--pidfile", "pid"]));
        assert_eq!(daemon.ask(&format!("listen {listener} SIGTERM")), "");
        daemon.process.signal(Signal::SIGTERM);
        eventually("the signal", || (daemon.ask("heard") == "1").then_some(()));
        assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0), "{listener}");
        ends_by(&daemon, Signal::SIGINT);
        assert_eq!(stage.files(), NOTHING, "{listener}");
    }
}

#[test]
fn somebody_elses_file_stays() {
    let stage = Stage::new();
    let daemon = stage.started(&mut probe(&stage, &["--pidfile", "pid"]));
    fs::remove_file(stage.path("pid")).expect("remove");
    fs::write(stage.path("pid"), "somebody else's").expect("write");
    ends_by(&daemon, Signal::SIGTERM);
    assert_eq!(stage.read("pid"), "somebody else's");
}

/// Without the descriptor there is no lock, and another daemon may have taken it since.
#[test]
fn a_daemon_that_closed_its_descriptors_leaves_the_file_to_the_next() {
    let stage = Stage::new();
    let mut first = stage.started(&mut probe(&stage, &["--pidfile", "pid"]));
    let sight = first.look();
    let descriptors = sight.descriptors();
    let (lock, _) = descriptors.iter().find(|(_, file)| file.ends_with("/pid")).expect("a lock");
    assert_eq!(first.ask(&format!("close {lock}")), "");
    let second = stage.started(&mut probe(&stage, &["--pidfile", "pid"]));
    ends_by(&first, Signal::SIGTERM);
    assert_eq!(stage.read("pid"), format!("{}\n", second.process.0));
}

/// As the manual says.
#[test]
fn where_it_may_not_be_removed_it_stays() {
    needs_root!();
    let stage = Stage::new();
    stage.open_to_all();
    stage.create_directory("jail");
    for options in [["--user", "nobody"], ["--chroot", "jail"]] {
        let daemon = stage.started(probe(&stage, &["--pidfile", "pid", "--connect"]).args(options));
        ends_by(&daemon, Signal::SIGTERM);
        assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0), "{options:?}");
    }
    assert_eq!(fs::read_dir(stage.path("jail")).expect("a jail").count(), 0);
}

#[test]
fn it_ends_in_the_middle_of_another_handler() {
    let Some(library) = preload::library("DUP2_WAITS") else { return };
    let stage = Stage::new();
    let mut command = probe(&stage, &["--pidfile", "pid", "--stdout", "log", "--reopen-logs"]);
    command.env("LD_PRELOAD", library).env("WAIT", stage.path("wait")).env("GO", stage.path("go"));
    let daemon = stage.started(&mut command);
    drop(stage.create("wait"));
    fs::rename(stage.path("log"), stage.path("log.1")).expect("rename");
    daemon.process.signal(Signal::SIGHUP);
    eventually("a handler that waits", || (!stage.path("wait").exists()).then_some(()));
    ends_by(&daemon, Signal::SIGTERM);
    assert!(!stage.path("pid").exists());
}

/// signal-safety(7).
#[test]
fn the_handler_allocates_nothing_and_locks_nothing() {
    let Some(library) = preload::library("HANDLER_ALLOCATES_NOTHING") else { return };
    let stage = Stage::new();
    let daemon = stage.started(probe(&stage, &["--pidfile", "pid"]).env("LD_PRELOAD", &library));
    ends_by(&daemon, Signal::SIGTERM);
    assert_eq!(stage.files(), NOTHING);

    let mut daemon = stage.started(probe(&stage, &[]).env("LD_PRELOAD", &library));
    assert_eq!(daemon.ask("listen allocating SIGTERM"), "");
    daemon.process.signal(Signal::SIGTERM);
    assert!(matches!(daemon.wait(), WaitStatus::Signaled(_, Signal::SIGABRT, _)));
}

#[test]
fn a_setup_that_waits_with_the_lock_in_hand_leaves_no_file() {
    let stage = Stage::new();
    nix::unistd::mkfifo(&stage.path("configuration"), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let launcher = stage.start(&mut probe(&stage, &["--pidfile", "pid", "--lock", "--read", "configuration"]));
    let _writer = File::options().write(true).open(stage.path("configuration")).expect("a reader");
    assert!(stage.path("pid").exists());
    launcher.process.signal(Signal::SIGTERM);
    assert_eq!(launcher.end().status, 128 + 15);
    assert_eq!(stage.files(), ["configuration"]);
}

/// The moments are close to each other, and go on past the end of the start.
#[test]
fn a_stop_in_the_middle_of_a_start_leaves_no_file() {
    for options in [&[][..], &["--foreground"], &["--notify", "--ready"]] {
        for moment in 0..100 {
            let stage = Stage::new();
            let launcher = stage.start(stage.command(PROBE).args(["--pidfile", "pid"]).args(options));
            thread::sleep(Duration::from_micros(60 * moment));
            launcher.process.signal(Signal::SIGTERM);
            let launch = launcher.end();
            assert!([0, 128 + 15].contains(&launch.status), "{launch:?}");
            end_all(&stage);
            assert_eq!(stage.files(), NOTHING, "{options:?} after {moment} times 60 microseconds: {launch:?}");
        }
    }
}

/// The daemon gets it as soon as there is one.
#[test]
fn a_stop_of_a_daemon_that_has_hardly_begun_leaves_no_file() {
    for _ in 0..50 {
        let stage = Stage::new();
        let launcher = stage.start(stage.command(PROBE).args(["--pidfile", "pid"]));
        eventually("a daemon and its end", || {
            let others = stage.processes().into_iter().filter(|&process| process != launcher.process);
            others.map(|process| process.signal(Signal::SIGTERM)).next()
        });
        let launch = launcher.end();
        assert!([0, 128 + 15].contains(&launch.status), "{launch:?}");
        end_all(&stage);
        assert_eq!(stage.files(), NOTHING, "{launch:?}");
    }
}

#[test]
fn a_failed_start_handles_nothing_any_more() {
    for (options, step) in [
        ("--foreground --pidfile pid --chdir missing", "cannot"),
        ("--pidfile pid --stdout missing/log", "cannot"),
        ("--pidfile pid --lock --stdout missing/log", "cannot"),
        ("--pidfile pid --notify --start-timeout 100", "the daemon was not ready"),
    ] {
        let stage = Stage::new();
        let mut command = stage.command(ARRANGE);
        command.args(["--default", "SIGINT", "--", CLIENT, "start"]).args(options.split(' '));
        let launch = stage.launch(&mut command);
        assert!(launch.stdout.contains(step), "{launch:?}");
        let caught = launch.stdout.lines().find_map(|line| line.strip_prefix("SigCgt=")).expect("signals");
        let caught = u64::from_str_radix(caught, 16).expect("a set of signals");
        assert_eq!(caught & (1 << 14 | 1 << 1), 0, "{options}");
        assert!(!stage.path("pid").exists(), "{options}");
    }
}
