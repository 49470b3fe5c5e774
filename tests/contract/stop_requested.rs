//! A request to stop, for a program that ends itself.

use std::{fs, time::Duration};

use nix::sys::{signal::Signal, wait::WaitStatus};
use support::{Daemon, Libc, Process, Stage, Syslog, Terminal, eventually, needs_root, within};

use super::stop::{NOTHING, SIGNALS, in_foreground, probe};
use crate::{ARRANGE, CLIENT, PROBE, preload};

const FORMS: [&str; 11] = [
    "wait",
    "wait-timeout",
    "flag",
    "poll",
    "tokio",
    "tokio-threads",
    "tokio-select",
    "async-descriptors",
    "smol",
    "block-on",
    "threads",
];

/// Longer than what lies between the two signals of a manager.
const LATER: Duration = Duration::from_millis(1100);

/// A daemon that listens by then.
fn listening(stage: &Stage, options: &[&str]) -> Daemon {
    let mut daemon = stage.started(&mut probe(stage, options));
    assert_eq!(daemon.ask("listen-to-stop"), "");
    daemon
}

fn is_requested(daemon: &mut Daemon) {
    eventually("the request", || (daemon.ask("is-stop-requested") == "true").then_some(()));
}

fn returns(mut daemon: Daemon) {
    daemon.send("return-status 7");
    let status = daemon.wait();
    assert!(matches!(status, WaitStatus::Exited(_, 7)), "{status:?}");
}

#[test]
fn main_returns_as_always() {
    for form in FORMS {
        for signal in SIGNALS {
            let stage = Stage::new();
            let mut daemon = stage.started(&mut probe(&stage, &["--pidfile", "pid"]));
            assert_eq!(daemon.ask("is-stop-requested"), "false");
            assert_eq!(daemon.ask("listen-to-stop"), "");
            daemon.send(&format!("await-stop {form}"));
            daemon.process.signal(signal);
            assert_eq!(daemon.answer(), "", "{form}");
            assert_eq!(stage.files(), ["pid"], "{form}: it goes with the process");
            assert_eq!(daemon.ask(&format!("await-stop {form}")), "", "{form}: it stays so");
            returns(daemon);
            assert_eq!(stage.files(), NOTHING, "{form} {signal}");
        }
    }
}

#[test]
fn in_the_foreground_too() {
    for form in FORMS {
        let stage = Stage::new();
        let (launcher, mut program) = in_foreground(&stage, &["--pidfile", "pid", "--stop-requested"]);
        program.send(&format!("await-stop {form}"));
        program.process.signal(Signal::SIGTERM);
        assert_eq!(program.answer(), "", "{form}");
        program.send("return-status 7");
        assert_eq!(launcher.end().status, 7, "{form}");
        assert_eq!(stage.files(), NOTHING, "{form}");
    }
}

/// No process of a start takes part in this.
#[test]
fn before_any_start() {
    for form in FORMS {
        let stage = Stage::new();
        let mut command = stage.command(ARRANGE);
        let _launcher = stage.start(command.args(["--default", "SIGINT", "--", CLIENT, "obey"]));
        let mut program = stage.daemon();
        assert_eq!(program.ask("listen-to-stop"), "");
        program.send(&format!("await-stop {form}"));
        program.process.signal(Signal::SIGINT);
        assert_eq!(program.answer(), "", "{form}");
    }
}

/// A value from `setup` reports the daemon's signals, and none of the launcher's.
#[test]
fn what_setup_got_is_the_daemons() {
    for form in FORMS {
        let stage = Stage::new();
        let options = ["--stop-requested", "--await-stop-for", "10", "--pidfile", "pid"];
        let mut daemon = stage.started(&mut probe(&stage, &options));
        assert_eq!(daemon.ask("is-stop-requested"), "false");
        daemon.send(&format!("await-stop {form}"));
        daemon.process.signal(Signal::SIGTERM);
        assert_eq!(daemon.answer(), "", "{form}");
        returns(daemon);
        assert_eq!(stage.files(), NOTHING, "{form}");
    }
}

/// A task that awaited the request before a start is woken after it, in whichever process.
#[test]
fn what_was_awaited_before_the_start_is_awaited_behind_it() {
    for options in [&["--foreground"][..], &[]] {
        let stage = Stage::new();
        let _launcher = stage.start(probe(&stage, options).args(["--stop-requested", "--ask-once-to-stop"]));
        is_woken_by_its_signal(&mut stage.daemon());
    }
    let stage = Stage::new();
    let _launcher = stage.start(stage.command(CLIENT).arg("obey"));
    let mut client = stage.daemon();
    assert_eq!(client.ask("ask-once-to-stop"), "");
    client.send("spawn");
    let mut server = stage.daemon();
    assert!(client.answer().starts_with("pid="));
    is_woken_by_its_signal(&mut client);
    is_woken_by_its_signal(&mut server);
}

#[test]
fn a_request_that_comes_during_a_spawn_is_heard_behind_it() {
    let stage = Stage::new();
    let _launcher = stage.start(stage.command(CLIENT).arg("obey"));
    let mut client = stage.daemon();
    assert_eq!(client.ask("ask-once-to-stop"), "");
    client.send("spawn --notify");
    let mut server = stage.daemon();
    client.process.signal(Signal::SIGTERM);
    eventually("a handler that ran", || (!client.process.has_pending(Signal::SIGTERM)).then_some(()));
    assert_eq!(server.ask("ready"), "");
    assert!(client.answer().starts_with("pid="));
    eventually("the word", || (client.ask("is-woken-to-stop") == "true").then_some(()));
}

fn is_woken_by_its_signal(program: &mut Daemon) {
    assert_eq!(program.ask("is-woken-to-stop"), "false");
    program.process.signal(Signal::SIGTERM);
    eventually("the word", || (program.ask("is-woken-to-stop") == "true").then_some(()));
}

#[test]
fn what_setup_got_takes_no_more_descriptors() {
    let stage = Stage::new();
    let in_setup = stage.started(&mut probe(&stage, &["--stop-requested"])).look().descriptors().len();
    let in_main = listening(&stage, &[]).look().descriptors().len();
    assert_eq!(in_setup, in_main);
}

/// Ctrl-C comes during `setup`, which goes on. No daemon is started then.
#[test]
fn a_launcher_that_was_asked_to_stop_starts_no_daemon() {
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let stage = Stage::new();
        nix::unistd::mkfifo(&stage.path("configuration"), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        let options = ["--stop-requested", "--pidfile", "pid", "--lock", "--read", "configuration"];
        let launcher = stage.start(&mut probe(&stage, &options));
        let writer = fs::File::options().write(true).open(stage.path("configuration")).expect("a reader");
        launcher.process.signal(signal);
        eventually("a handler that ran", || (!launcher.process.has_pending(signal)).then_some(()));
        drop(writer);
        let launch = launcher.end();
        assert_eq!(
            (launch.status, &*launch.stderr),
            (status, "probe: the daemon was asked to stop before it was started\n")
        );
        assert!(stage.no_daemon_reported());
        assert_eq!(stage.files(), ["configuration"]);
    }
}

/// The launcher goes on in the program, and the next signal stops it.
#[test]
fn a_program_that_was_asked_to_stop_gets_its_signals_back() {
    let stage = Stage::new();
    nix::unistd::mkfifo(&stage.path("configuration"), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let mut command = stage.command(CLIENT);
    let launcher = stage.start(command.args(["start", "--stop-requested", "--read", "configuration"]));
    let writer = fs::File::options().write(true).open(stage.path("configuration")).expect("a reader");
    launcher.process.signal(Signal::SIGTERM);
    eventually("a handler that ran", || (!launcher.process.has_pending(Signal::SIGTERM)).then_some(()));
    drop(writer);
    let launch = launcher.end();
    assert_eq!(launch.status, 128 + 15);
    assert!(
        launch.stdout.starts_with("error=the daemon was asked to stop before it was started\n"),
        "{}",
        launch.stdout
    );
    assert!(launch.stdout.contains("SigBlk=0000000000000000\n"), "{}", launch.stdout);
}

/// It does what a shell's user expects.
#[test]
fn a_launcher_that_waits_ends_by_the_signal() {
    let stage = Stage::new();
    let options = ["--stop-requested", "--pidfile", "pid", "--notify"];
    let launcher = stage.start(&mut probe(&stage, &options));
    let daemon = stage.daemon();
    launcher.process.signal(Signal::SIGINT);
    assert_eq!(launcher.end().status, 128 + 2);
    eventually("the daemon's end", || (!daemon.process.is_alive()).then_some(()));
}

/// The daemon is not stopped by signals to the launcher or the leader.
#[test]
fn the_request_to_a_client_is_not_its_servers() {
    let stage = Stage::new();
    let _launcher = stage.start(stage.command(CLIENT).arg("obey"));
    let mut client = stage.daemon();
    assert_eq!(client.ask("await-stop-for 10"), "");
    client.send("spawn");
    let mut server = stage.daemon();
    assert!(client.answer().starts_with("pid="));
    server.process.signal(Signal::SIGTERM);
    is_requested(&mut server);
    assert_eq!(server.ask("is-stop-readable"), "true");
    assert_eq!(client.ask("is-stop-requested"), "false");
    assert_eq!(client.ask("is-stop-readable"), "false");

    client.send("spawn");
    let mut server = stage.daemon();
    assert!(client.answer().starts_with("pid="));
    client.process.signal(Signal::SIGTERM);
    is_requested(&mut client);
    assert_eq!(server.ask("is-stop-requested"), "false");
    assert_eq!(server.ask("is-stop-readable"), "false");
}

/// Managers and supervisors send two within microseconds.
#[test]
fn a_second_signal_ends_it_if_it_comes_later() {
    for (first, second) in [(Signal::SIGTERM, Signal::SIGTERM), (Signal::SIGINT, Signal::SIGTERM)] {
        for options in [&["--pidfile", "pid", "--stdout", "log"][..], &["--pidfile", "pid", "--foreground"]] {
            let stage = Stage::new();
            let launcher = stage.start(&mut probe(&stage, options));
            let mut daemon = stage.daemon();
            assert_eq!(daemon.ask("listen-to-stop"), "");
            daemon.process.signal(first);
            is_requested(&mut daemon);
            for signal in [second, first, second] {
                daemon.process.signal(signal);
            }
            daemon.look();
            std::thread::sleep(LATER); // nothing shows that a second is over
            daemon.process.signal(second);
            eventually("its end", || (!daemon.process.is_alive()).then_some(()));
            let launch = launcher.end();
            let said = if stage.path("log").exists() { stage.read("log") } else { launch.stderr };
            assert_eq!(said, "probe: did not stop before the second signal\n");
            assert!(!stage.path("pid").exists(), "{options:?}");
            assert_eq!(launch.status, if options.contains(&"--foreground") { 128 + first as i32 } else { 0 });
        }
    }
}

#[test]
fn it_has_its_time_and_no_more() {
    for options in [&["--stdout", "log"][..], &["--stop-requested", "--stdout", "log"], &["--foreground"]] {
        let stage = Stage::new();
        let launcher = stage.start(probe(&stage, options).args(["--pidfile", "pid", "--stop-timeout", "300"]));
        let mut daemon = stage.daemon();
        assert_eq!(daemon.ask("listen-to-stop"), "");
        daemon.process.signal(Signal::SIGINT);
        let status = (!options.contains(&"--foreground")).then(|| daemon.wait());
        let launch = launcher.end();
        if let Some(status) = status {
            assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGINT, _)), "{status:?}");
            assert_eq!(stage.read("log"), "probe: did not stop within 300ms\n");
        } else {
            assert_eq!((launch.status, &*launch.stderr), (128 + 2, "probe: did not stop within 300ms\n"));
        }
        assert!(!stage.path("pid").exists(), "{options:?}");
    }
}

/// In the foreground, the program goes on, and so does its time limit.
#[test]
fn a_request_to_setup_counts() {
    let stage = Stage::new();
    nix::unistd::mkfifo(&stage.path("configuration"), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let options = ["--stop-requested", "--stop-timeout", "1000", "--foreground", "--read", "configuration"];
    let launcher = stage.start(&mut probe(&stage, &options));
    let writer = fs::File::options().write(true).open(stage.path("configuration")).expect("a reader");
    launcher.process.signal(Signal::SIGTERM);
    eventually("a handler that ran", || (!launcher.process.has_pending(Signal::SIGTERM)).then_some(()));
    drop(writer);
    let mut program = stage.daemon();
    assert_eq!(program.ask("is-stop-requested"), "true");
    let launch = launcher.end();
    assert_eq!((launch.status, &*launch.stderr), (128 + 15, "probe: did not stop within 1s\n"));
}

/// Its time begins with the request.
#[test]
fn a_daemon_that_nobody_asks_has_all_the_time() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stop-timeout", "100"]);
    assert_eq!(within(Duration::from_millis(400), || (!daemon.process.is_alive()).then_some(())), None);
    daemon.look();
}

#[test]
fn a_time_of_zero_is_refused() {
    let stage = Stage::new();
    let line = "probe: `stop_timeout` is zero: no daemon could stop in time";
    stage.refuses(&mut probe(&stage, &["--stop-timeout", "0"]), line);
}

/// The lines of a daemon whose standard error is the null device.
#[test]
fn where_nobody_reads_standard_error_the_systems_log_has_it() {
    needs_root!();
    let stage = Stage::new();
    let syslog = Syslog::new(&stage);
    let mut command = stage.command_beside_syslog(PROBE);
    let mut daemon = stage.started(command.args(["--stop-timeout", "100"]));
    assert_eq!(daemon.ask("listen-to-stop"), "");
    daemon.process.signal(Signal::SIGTERM);
    daemon.wait();
    let line = format!("<27>probe[{}]: did not stop within 100ms", daemon.process.0);
    assert_eq!(syslog.lines(), [line]);
}

#[test]
fn as_process_1_it_exits_with_the_status_that_a_shell_has() {
    needs_root!();
    for options in [&[][..], &["--pidfile", "pid"]] {
        let stage = Stage::new();
        let command = [&[PROBE, "--stop-requested", "--stop-timeout", "200"], options].concat();
        let launcher = stage.start(stage.first_process(command[0]).args(&command[1..]));
        let mut program = stage.daemon();
        program.process.signal(Signal::SIGTERM);
        is_requested(&mut program);
        assert_eq!(launcher.end().status, 128 + 15);
        assert_eq!(stage.files(), NOTHING);
    }
}

/// It starts no daemon.
#[test]
fn a_program_that_is_process_1_ends_by_the_second_signal() {
    needs_root!();
    let stage = Stage::new();
    let launcher = stage.start(stage.first_process(CLIENT).arg("obey"));
    let mut program = stage.daemon();
    assert_eq!(program.ask("listen-to-stop"), "");
    program.process.signal(Signal::SIGTERM);
    is_requested(&mut program);
    std::thread::sleep(LATER); // nothing shows that a second is over
    program.process.signal(Signal::SIGTERM);
    assert_eq!(launcher.end().status, 128 + 15);
}

#[test]
fn what_a_system_call_said_it_says_still() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &[]));
    assert_eq!(daemon.ask("note-numbers"), "");
    assert_eq!(daemon.ask("listen-to-stop"), "");
    assert_eq!(daemon.ask("close-numbers"), "", "so that something fails in the handler");
    assert_eq!(daemon.ask(&format!("errno-after {}", Signal::SIGTERM as i32)), "12345");
    is_requested(&mut daemon);
}

/// The handler from before still exists.
#[test]
fn a_worker_does_what_it_would_have_done() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &[]));
    assert_eq!(daemon.ask("listen sigaction SIGTERM"), "");
    assert_eq!(daemon.ask("listen-to-stop"), "");
    let worker = Process(daemon.ask("fork").parse().expect("a process id"));
    worker.signal(Signal::SIGTERM);
    eventually("a handler that ran", || (!worker.has_pending(Signal::SIGTERM)).then_some(()));
    assert_eq!(within(Duration::from_millis(100), || (!worker.is_alive()).then_some(())), None);
}

#[test]
fn a_worker_ends_by_default() {
    for options in [&["--pidfile", "pid"][..], &["--pidfile", "pid", "--stop-requested"]] {
        let stage = Stage::new();
        let mut daemon = listening(&stage, options);
        for signal in SIGNALS {
            let worker = Process(daemon.ask("fork").parse().expect("a process id"));
            worker.signal(signal);
            eventually("the worker's end", || (!worker.is_alive()).then_some(()));
        }
        assert_eq!(daemon.ask("is-stop-requested"), "false");
        assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
        daemon.process.signal(Signal::SIGTERM);
        is_requested(&mut daemon);
    }
}

/// It is a request of its own, and the pidfile stays the parent's.
#[test]
fn a_worker_may_listen_itself() {
    for fork in ["fork-and-listen", "fork-and-listen-as-process-1"] {
        if fork.ends_with('1') {
            needs_root!();
        }
        let stage = Stage::new();
        let mut daemon = listening(&stage, &["--pidfile", "pid"]);
        assert_eq!(daemon.ask("begin-to-await-stop"), "");
        eventually("threads that hold no lock", || waits(&daemon).filter(|_| all_sleep(&daemon)));
        daemon.send(fork);
        let is_worker = |process: &Process| process.parent() == daemon.process.0;
        let worker = eventually("a worker", || stage.processes().into_iter().find(is_worker));
        eventually("one that listens", || stage.path("listens").exists().then_some(()));
        worker.signal(Signal::SIGTERM);
        eventually("one that was asked", || stage.path("asked").exists().then_some(()));
        assert_eq!(daemon.answer(), "0", "its exit status");
        assert_eq!(daemon.ask("is-stop-requested"), "false");
        assert_eq!(daemon.ask("is-stop-awaited"), "true");
        assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
        daemon.process.signal(Signal::SIGTERM);
        eventually("the request", || (daemon.ask("is-stop-awaited") == "false").then_some(()));
    }
}

/// The worker was not asked, so neither the request nor the time limit of its parent applies to it.
#[test]
fn a_worker_of_a_daemon_that_stops_has_its_own_time() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stop-timeout", "1000"]);
    daemon.process.signal(Signal::SIGTERM);
    is_requested(&mut daemon);
    daemon.send("fork-and-listen");
    let is_worker = |process: &Process| process.parent() == daemon.process.0;
    let worker = eventually("a worker", || stage.processes().into_iter().find(is_worker));
    eventually("one that listens", || stage.path("listens").exists().then_some(()));
    daemon.wait();
    assert_eq!(within(LATER, || stage.path("asked").exists().then_some(())), None);
    worker.signal(Signal::SIGTERM);
    eventually("one that was asked", || stage.path("asked").exists().then_some(()));
}

/// The worker may still have a copy of the descriptor that the thread waits for.
#[test]
fn a_worker_keeps_no_start_from_ending_the_thread() {
    let stage = Stage::new();
    let _launcher = stage.start(stage.command(CLIENT).arg("obey"));
    let mut client = stage.daemon();
    assert_eq!(client.ask("await-stop-for 10"), "");
    client.ask("fork");
    client.send("spawn");
    let _server = stage.daemon();
    assert!(client.answer().starts_with("pid="));
}

/// A program for which the call failed may go on without it.
#[test]
fn without_a_descriptor_the_signals_do_what_they_did() {
    for free in 0..5 {
        let stage = Stage::new();
        let mut daemon = stage.started(&mut probe(&stage, &["--pidfile", "pid"]));
        let listens = daemon.ask(&format!("listen-with-descriptors {free}"));
        assert_eq!(listens, (free >= 3).to_string(), "{free}");
        daemon.process.signal(Signal::SIGTERM);
        if listens == "true" {
            is_requested(&mut daemon);
        } else {
            let status = daemon.wait();
            assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGTERM, _)), "{free}: {status:?}");
            assert_eq!(stage.files(), NOTHING);
        }
    }
}

/// As with closefrom(3): files that it opens then are its own.
#[test]
fn a_program_that_takes_the_numbers_is_left_alone() {
    for form in ["wait", "wait-timeout", "flag", "threads", "block-on"] {
        let stage = Stage::new();
        let mut daemon = stage.started(&mut probe(&stage, &[]));
        assert_eq!(daemon.ask("note-numbers"), "");
        assert_eq!(daemon.ask("listen-to-stop"), "");
        assert_eq!(daemon.ask("begin-to-await-stop"), "");
        takes_numbers(&mut daemon);
        daemon.send(&format!("await-stop {form}"));
        daemon.process.signal(Signal::SIGTERM);
        assert_eq!(daemon.answer(), "", "{form}");
        eventually("its end", || (daemon.ask("is-stop-awaited") == "false").then_some(()));
        assert_eq!(daemon.ask("look-at-taken-numbers"), "", "{form}");
        assert_eq!(daemon.ask("await-stop poll"), "", "another descriptor");
    }
}

#[test]
fn a_setup_that_takes_the_numbers_is_left_alone() {
    let stage = Stage::new();
    let options = ["--note-numbers", "--stop-requested", "--take-numbers"];
    let mut daemon = stage.started(&mut probe(&stage, &options));
    assert_eq!(daemon.ask("look-at-taken-numbers"), "");
    assert_eq!(daemon.ask("listen-to-stop"), "");
    daemon.send("await-stop-by-first");
    eventually("a thread", || (daemon.process.status("Threads").as_deref() == Some("2")).then_some(()));
    daemon.process.signal(Signal::SIGTERM);
    assert_eq!(daemon.answer(), "");
    assert_eq!(daemon.ask("look-at-taken-numbers"), "");
}

/// Nor do they keep a start from ending the thread.
#[test]
fn a_client_that_takes_the_numbers_starts_its_server() {
    let stage = Stage::new();
    let _launcher = stage.start(stage.command(CLIENT).arg("obey"));
    let mut client = stage.daemon();
    assert_eq!(client.ask("note-numbers"), "");
    assert_eq!(client.ask("await-stop-for 10"), "");
    takes_numbers(&mut client);
    client.send("spawn");
    let mut server = stage.daemon();
    assert!(client.answer().starts_with("pid="));
    assert_eq!(server.ask("look-at-taken-numbers"), "");
}

/// The thread of the library.
fn watcher(daemon: &Daemon) -> Option<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.process.0)).expect("its threads");
    let statuses = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
    statuses.into_iter().find(|status| status.starts_with("Name:\tstop_requested\n"))
}

fn all_sleep(program: &Daemon) -> bool {
    let mut tasks = fs::read_dir(format!("/proc/{}/task", program.process.0)).expect("its threads").flatten();
    tasks.all(|task| fs::read_to_string(task.path().join("status")).is_ok_and(|status| status.contains("State:\tS")))
}

/// How often it has waited so far, if it waits now.
fn waits(program: &Daemon) -> Option<String> {
    let status = watcher(program).filter(|status| status.contains("State:\tS"))?;
    status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:\t").map(str::to_owned))
}

/// One after the other: poll(2) looks at the numbers again when it is woken.
fn takes_numbers(program: &mut Daemon) {
    let before = eventually("a thread that waits", || waits(program));
    assert_eq!(program.ask("close-numbers"), "");
    eventually("one that waits without", || waits(program).filter(|times| *times != before));
    assert_eq!(program.ask("take-numbers"), "");
}

/// The message to the manager does not go there either.
#[test]
fn a_program_that_takes_the_managers_number_is_left_alone() {
    let stage = Stage::new();
    let manager = std::os::unix::net::UnixDatagram::bind(stage.path("manager")).expect("a socket");
    let options = ["--notify", "--connect", "--note-numbers", "--foreground"];
    let mut command = probe(&stage, &options);
    let launcher = stage.start(command.env("NOTIFY_SOCKET", stage.path("manager")));
    let mut program = stage.daemon();
    assert_eq!(program.ask("listen-to-stop"), "");
    assert_eq!(program.ask("close-numbers"), "");
    assert_eq!(program.ask("take-numbers"), "");
    program.process.signal(Signal::SIGTERM);
    is_requested(&mut program);
    assert_eq!(program.ask("look-at-taken-numbers"), "");
    program.send("return-status 7");
    assert_eq!(launcher.end().status, 7);
    drop(manager);
}

#[test]
fn one_waker_that_panics_keeps_no_other_from_its_work() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stdout", "log"]);
    daemon.send("await-stop-beside-a-panic");
    eventually("the thread", || (daemon.process.status("Threads").as_deref() == Some("2")).then_some(()));
    daemon.process.signal(Signal::SIGTERM);
    assert_eq!(daemon.answer(), "");
    assert!(stage.read("log").contains("it cannot be woken"));
}

/// The thread that gets the second may have blocked the first.
#[test]
fn a_signal_that_is_blocked_ends_it_too() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--pidfile", "pid", "--stdout", "log"]);
    daemon.process.signal(Signal::SIGINT);
    is_requested(&mut daemon);
    assert_eq!(daemon.ask("block-signal SIGINT"), "");
    std::thread::sleep(LATER); // nothing shows that a second is over
    daemon.process.signal(Signal::SIGTERM);
    let status = daemon.wait();
    assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGINT, _)), "{status:?}");
    assert_eq!(stage.files(), ["log"]);
}

/// The timer must not use the signal that is ignored.
#[test]
fn it_has_no_more_time_where_sigterm_is_ignored() {
    let stage = Stage::new();
    let mut command = stage.command(ARRANGE);
    command.args(["--ignore", "SIGTERM", "--default", "SIGINT", "--", PROBE]);
    let launcher = stage.start(command.args(["--foreground", "--stop-requested", "--stop-timeout", "200"]));
    let program = stage.daemon();
    program.process.signal(Signal::SIGINT);
    let launch = launcher.end();
    assert_eq!((launch.status, &*launch.stderr), (128 + 2, "probe: did not stop within 200ms\n"));
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let stage = Stage::new();
    let mut command = stage.command(ARRANGE);
    command.args(["--ignore", "SIGINT", "--", PROBE, "--foreground", "--stop-requested"]);
    let launcher = stage.start(&mut command);
    let mut program = stage.daemon();
    program.process.signal(Signal::SIGINT);
    assert_eq!(program.ask("is-stop-requested"), "false");
    program.process.signal(Signal::SIGTERM);
    is_requested(&mut program);
    program.send("return");
    assert_eq!(launcher.end().status, 0);
}

/// In the daemon it has its default action again, daemon(7), and so it is a request.
#[test]
fn a_signal_that_the_launcher_ignored_is_a_request_to_the_daemon() {
    let stage = Stage::new();
    let mut command = stage.command(ARRANGE);
    command.args(["--ignore", "SIGINT", "--", PROBE, "--stop-requested"]);
    let mut daemon = stage.started(&mut command);
    daemon.process.signal(Signal::SIGINT);
    is_requested(&mut daemon);
}

#[test]
fn beside_every_other_listener_that_was_first() {
    for listener in ["signal-hook", "tokio", "sigaction", "informed-sigaction", "ctrlc"] {
        // A pidfile has a handler of its own, which the listener has replaced.
        for options in [&[][..], &["--pidfile", "pid"]] {
            let stage = Stage::new();
            let mut daemon = stage.started(&mut probe(&stage, options));
            let signal = if listener == "ctrlc" { Signal::SIGINT } else { Signal::SIGTERM };
            assert_eq!(daemon.ask(&format!("listen {listener} {signal}")), "");
            for _ in 0..3 {
                assert_eq!(daemon.ask("listen-to-stop"), "", "again and again");
            }
            daemon.process.signal(signal);
            eventually("the signal", || (daemon.ask("heard") == "1").then_some(()));
            is_requested(&mut daemon);
            let again = if listener == "tokio" { "0" } else { "1" }; // the program asks it for the next request
            assert_eq!(daemon.ask("heard"), again, "{listener}: once");
            returns(daemon);
            assert_eq!(stage.files(), NOTHING, "{listener}");
        }
    }
}

/// Those that call the handler before them.
#[test]
fn beside_a_listener_that_comes_later() {
    for listener in ["signal-hook", "tokio"] {
        let stage = Stage::new();
        let mut daemon = listening(&stage, &["--pidfile", "pid"]);
        assert_eq!(daemon.ask(&format!("listen {listener} SIGTERM")), "");
        assert_eq!(daemon.ask("listen-to-stop"), "", "once more");
        daemon.process.signal(Signal::SIGTERM);
        eventually("the signal", || (daemon.ask("heard") == "1").then_some(()));
        is_requested(&mut daemon);
        returns(daemon);
        assert_eq!(stage.files(), NOTHING, "{listener}");
    }
}

/// As the documentation says: one of them refuses, and one replaces the handler.
#[test]
fn beside_ctrlc() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &[]);
    assert!(daemon.ask("listen try-ctrlc SIGINT").starts_with("error: "));
    daemon.process.signal(Signal::SIGINT);
    is_requested(&mut daemon);

    let mut daemon = listening(&stage, &[]);
    assert_eq!(daemon.ask("listen ctrlc SIGINT"), "");
    daemon.process.signal(Signal::SIGINT);
    eventually("the signal", || (daemon.ask("heard") == "1").then_some(()));
    assert_eq!(daemon.ask("is-stop-requested"), "false");
}

/// The start uses one of its own.
#[test]
fn from_several_threads_at_once() {
    let stage = Stage::new();
    let mut daemon = stage.started(&mut probe(&stage, &["--pidfile", "pid"]));
    assert_eq!(daemon.ask("listen-to-stop-in-threads"), "");
    assert_eq!(daemon.ask("await-stop wait-timeout-once"), "");
    let before = daemon.look().descriptors().len();
    assert_eq!(daemon.ask("listen-to-stop-in-threads"), "");
    assert_eq!(daemon.look().descriptors().len(), before, "none is left of those that were dropped");
    daemon.process.signal(Signal::SIGTERM);
    is_requested(&mut daemon);
}

#[test]
fn there_is_a_thread_only_where_somebody_awaits_it() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &[]);
    let threads = |daemon: &Daemon| daemon.process.status("Threads").expect("a process that runs");
    assert_eq!(threads(&daemon), "1");
    assert_eq!(daemon.ask("begin-to-await-stop"), "");
    eventually("the thread", || (threads(&daemon) == "3").then_some(()));
    let status = eventually("its name", || watcher(&daemon));
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).expect("a mask");
    let blocked = u64::from_str_radix(blocked, 16).expect("a set of signals");
    let all_but_two = !(1 << (Signal::SIGKILL as i32 - 1) | 1 << (Signal::SIGSTOP as i32 - 1));
    assert_eq!(blocked | Libc::of(PROBE).own_signals(), all_but_two);
    daemon.process.signal(Signal::SIGTERM);
    eventually("its end", || (threads(&daemon) == "1").then_some(()));
}

#[test]
fn without_a_thread_it_is_awaited_too() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &[]);
    daemon.send("await-stop-without-descriptors");
    assert_eq!(within(Duration::from_millis(100), || (daemon.process.status("Threads")? != "1").then_some(())), None);
    daemon.process.signal(Signal::SIGTERM);
    assert_eq!(daemon.answer(), "");
}

/// The runtime of a `setup` that awaited it does not hinder the start.
#[test]
fn what_setup_awaited_leaves_no_thread() {
    let stage = Stage::new();
    let options = ["--stop-requested", "--await-stop-for", "10"];
    let daemon = stage.started(&mut probe(&stage, &options));
    assert_eq!(daemon.process.status("Threads").as_deref(), Some("1"));
}

#[test]
fn a_manager_hears_of_it_when_the_signal_comes() {
    let stage = Stage::new();
    let manager = std::os::unix::net::UnixDatagram::bind(stage.path("manager")).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let heard = || {
        let mut bytes = [0; 4096];
        let length = manager.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    for options in [&[][..], &["--foreground"]] {
        let mut command = probe(&stage, &["--notify", "--ready"]);
        let launcher = stage.start(
            command
                .env("NOTIFY_SOCKET", stage.path("manager"))
                .args(options)
                .args(["--detach", "always"])
                .args(options),
        );
        let mut daemon = stage.daemon();
        assert!(heard().contains("READY=1"));
        assert_eq!(daemon.ask("listen-to-stop"), "");
        daemon.process.signal(Signal::SIGTERM);
        assert_eq!(heard(), "STOPPING=1", "{options:?}");
        daemon.send("return");
        eventually("its end", || (!daemon.process.is_alive()).then_some(()));
        let _ = launcher.end();
        manager.set_nonblocking(true).expect("a flag");
        assert!(manager.recv(&mut [0]).is_err(), "once");
        manager.set_nonblocking(false).expect("a flag");
    }
}

/// The daemon goes on.
#[test]
fn a_manager_hears_nothing_of_a_worker_that_is_asked() {
    let stage = Stage::new();
    let manager = std::os::unix::net::UnixDatagram::bind(stage.path("manager")).expect("a socket");
    manager.set_nonblocking(true).expect("a flag");
    let mut command = probe(&stage, &["--notify", "--foreground"]);
    let _launcher = stage.start(command.env("NOTIFY_SOCKET", stage.path("manager")));
    let mut program = stage.daemon();
    program.send("fork-and-listen");
    let is_worker = |process: &Process| process.parent() == program.process.0;
    let worker = eventually("a worker", || stage.processes().into_iter().find(is_worker));
    eventually("one that listens", || stage.path("listens").exists().then_some(()));
    worker.signal(Signal::SIGTERM);
    assert_eq!(program.answer(), "0", "its exit status");
    let mut bytes = [0; 64];
    assert!(manager.recv(&mut bytes).is_err(), "{}", bytes.escape_ascii());
    assert_eq!(program.ask("listen-to-stop"), "");
    program.process.signal(Signal::SIGTERM);
    is_requested(&mut program);
    eventually("a word", || manager.recv(&mut bytes).ok());
    assert!(bytes.starts_with(b"STOPPING=1"));
}

/// signal-safety(7).
#[test]
fn the_handler_allocates_nothing_and_locks_nothing() {
    let Some(library) = preload::library("HANDLER_ALLOCATES_NOTHING") else { return };
    let stage = Stage::new();
    let mut command = probe(&stage, &["--pidfile", "pid", "--stop-timeout", "100", "--stdout", "log"]);
    let mut daemon = stage.started(command.env("LD_PRELOAD", &library));
    assert_eq!(daemon.ask("listen-to-stop"), "");
    daemon.process.signal(Signal::SIGTERM);
    let status = daemon.wait();
    assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGTERM, _)), "{status:?}");
    assert_eq!(stage.files(), ["log"]);
}

/// A pipe that has no reader or is full does not keep it from ending.
#[test]
fn a_standard_error_that_takes_nothing_does_not_keep_it() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stderr", "pipe:sleep 1000", "--stop-timeout", "200"]);
    assert_eq!(daemon.ask("fill-stderr 0"), "");
    daemon.process.signal(Signal::SIGTERM);
    daemon.wait();
}

/// Nor does a log that must not grow: the signal that asked ends it, not SIGXFSZ.
#[test]
fn a_limit_on_the_size_of_files_does_not_end_it() {
    let stage = Stage::new();
    let mut command = stage.command("sh");
    command.args(["-c", "ulimit -f 0; exec \"$@\"", "sh", PROBE, "--stdout", "log", "--stop-timeout", "200"]);
    let mut daemon = stage.started(&mut command);
    assert_eq!(daemon.ask("listen-to-stop"), "");
    daemon.process.signal(Signal::SIGTERM);
    let status = daemon.wait();
    assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGTERM, _)), "{status:?}");
}

#[test]
fn ctrl_c_at_a_terminal_is_a_request() {
    let stage = Stage::new();
    let mut terminal = Terminal::open();
    let mut command = stage.command(ARRANGE);
    command.arg("--terminal").arg(&terminal.path).args(["--default", "SIGINT", "--", PROBE]);
    let _launcher = stage.start(command.args(["--foreground", "--stop-requested"]));
    let mut program = stage.daemon();
    terminal.type_in("\u{3}");
    is_requested(&mut program);
}

#[test]
fn it_can_be_shown() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &[]);
    assert_eq!(daemon.ask("show-stop"), "StopRequested { is_set: false, .. } true");
    daemon.process.signal(Signal::SIGTERM);
    is_requested(&mut daemon);
    assert_eq!(daemon.ask("show-stop"), "StopRequested { is_set: true, .. } true");
}

/// The thread that waits for the request is its parent's.
#[test]
fn a_worker_of_a_program_that_awaits_it_starts_a_daemon() {
    let stage = Stage::new();
    let _client = stage.start(stage.command(CLIENT).args(["obey", "quietly"]));
    let mut client = stage.daemon();
    assert_eq!(client.ask("begin-to-await-stop"), "");
    // What a thread has locked while it works, a fork of the program has locked for ever.
    eventually("its thread", || watcher(&client).filter(|_| all_sleep(&client)));
    let said = client.ask("spawn-in-worker");
    assert!(said.starts_with("Ok(Spawned { pid: "), "{said}");
    client.process.signal(Signal::SIGTERM);
    eventually("its own request", || (client.ask("is-stop-awaited") == "false").then_some(()));
}
