//! `Daemon::spawn`: a program starts a daemon, and goes on as before.

use std::{os::unix::fs::chown, process::Command};

use nix::sys::{signal::Signal, wait::WaitStatus};
use support::{Daemon, Launcher, Libc, Process, Stage, Terminal, eventually, needs_root};

use super::ready::kill_when_the_leader_reported;
use crate::{ARRANGE, CLIENT, preload};

/// A client that runs, and that obeys.
pub(super) fn client(stage: &Stage, command: &mut Command) -> (Launcher, Daemon) {
    (stage.start(command), stage.daemon())
}

pub(super) fn obeying(stage: &Stage) -> Command {
    let mut command = stage.command(CLIENT);
    command.args(["obey", "quietly"]);
    command
}

/// The daemon that the client spawns by these options, and what the client was told.
fn spawned(stage: &Stage, client: &mut Daemon, options: &str) -> (Daemon, String) {
    client.send(&format!("spawn {options}"));
    let daemon = stage.daemon();
    let said = client.answer();
    assert_eq!(said, format!("pid={}\nmessage=none", daemon.process.0));
    (daemon, said)
}

#[test]
fn it_returns_the_daemons_number_and_word() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    client.send("spawn --notify");
    let mut daemon = stage.daemon();
    assert_eq!(daemon.ask("ready-with listening on 127.0.0.1:7\\nand so on"), "");
    assert_eq!(client.answer(), format!("pid={}\nmessage=listening on 127.0.0.1:7\nand so on", daemon.process.0));
}

#[test]
fn the_daemon_is_one() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    let (daemon, _) = spawned(&stage, &mut client, "");
    let sight = &daemon.sight;
    assert_ne!(sight.number("session"), client.sight.number("session"));
    assert_ne!(sight.number("session"), daemon.process.0, "it could gain a terminal");
    assert_eq!((sight.get("directory"), sight.get("Umask"), sight.get("terminal")), ("/", "0027", "none"));
    let null = "/dev/null";
    let descriptors = sight.descriptors();
    assert_eq!((descriptors[&0], descriptors[&1], descriptors[&2]), (null, null, null));
    assert_eq!(descriptors.len(), 4, "{sight:?}"); // what the client has opened stays open: its connection
}

/// Its supervisor closes the launcher's line, so the end of that does not show the end of the launcher.
#[test]
fn a_launcher_that_was_stopped_is_not_waited_for() {
    let Some(library) = preload::library("SEND_STOPS_THE_LAUNCHER") else { return };
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, obeying(&stage).env("LD_PRELOAD", library));
    client.send("spawn --notify --respawn on-failure");
    let mut daemon = stage.daemon();
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(client.answer(), format!("pid={}\nmessage=none", daemon.process.parent()));
}

/// A client may end the process with that number.
#[test]
fn a_number_that_the_daemon_gives_does_not_count() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    client.send("spawn --notify");
    let mut daemon = stage.daemon();
    daemon.ask("to-leader 0 1"); // ready
    daemon.ask(&format!("to-leader 1 {}", 4 + (64 << 10))); // only a part of a long text is read: process 0x01010101
    assert_eq!(client.answer().lines().next(), Some(format!("pid={}", daemon.process.0).as_str()));
}

/// Parent, session, directory, umask, mask, actions, descriptors, children, and whether it adopts orphans.
#[test]
fn the_client_is_as_before() {
    for options in [&[][..], &["--ignore", "SIGCHLD"], &["--ignore", "SIGINT", "--ignore", "SIGHUP"], &["--block-all"]]
    {
        let stage = Stage::new();
        let mut command = stage.command(ARRANGE);
        let (_launcher, mut client) = client(&stage, command.args(options).args(["--", CLIENT, "obey", "quietly"]));
        let before = client.look();
        let locked = "--pidfile pid --lock";
        for start in ["", "--notify", locked, "--pidfile missing/pid", "--notify --start-timeout 100"] {
            client.send(&format!("spawn {start}"));
            let daemon = (start != "--pidfile missing/pid").then(|| stage.daemon());
            if let (Some(mut daemon), "--notify") = (daemon, start) {
                daemon.ask("ready");
            }
            let _ = client.answer();
            assert_eq!(client.look(), before, "{options:?} {start}");
        }
    }
}

/// The test adopts orphans, and the client does not.
#[test]
fn the_client_is_no_parent_of_the_daemon() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    let (daemon, _) = spawned(&stage, &mut client, "");
    assert_eq!(daemon.process.parent(), Process::own().0);
    assert_eq!(client.look().get("children"), "");
}

/// The handler does not reap the launcher between the two.
#[test]
fn a_handler_that_reaps_every_child_takes_nobody() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    client.ask("handle SIGCHLD");
    client.send("spawn --notify");
    let _starting = stage.daemon();
    client.process.child().expect("the launcher").signal(Signal::SIGKILL);
    let said = client.answer();
    assert!(said.contains("\nstatus=137\n"), "{said}");
}

#[test]
fn it_can_be_called_again() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    let (first, _) = spawned(&stage, &mut client, "--pidfile first");
    let (second, _) = spawned(&stage, &mut client, "--pidfile second");
    assert_ne!(first.process, second.process);
    let said = client.ask("spawn --pidfile first");
    let directory = stage.directory().canonicalize().expect("a path");
    let line = format!("cannot lock {}/first: already running as process {}", directory.display(), first.process.0);
    assert_eq!(said, format!("error={line}\nstatus=1\nrunning={}\nstderr=", first.process.0));
}

#[test]
fn a_client_with_threads_is_told_what_to_do() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    client.ask("thread");
    assert_eq!(
        client.ask("spawn"),
        "error=cannot spawn a daemon: 1 other thread would be lost (second); execute this program again, with \
         `Command::new(current_exe()?)`, and start the daemon there\nstatus=1\nrunning=none\nstderr="
    );
    assert!(stage.no_daemon_reported());
}

#[test]
fn a_failure_comes_with_status_and_what_was_printed() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    for (ending, status, words) in [
        ("exit 78", 78, "ended before it was ready: exit status: 78"),
        ("return-status 3", 3, "ended before it was ready: exit status: 3"),
        ("exit 0", 1, "exited with status 0 without calling `ready`"),
        ("raise 9", 137, "ended before it was ready: signal: 9 (SIGKILL)"),
    ] {
        client.send("spawn --notify --stderr log");
        let mut daemon = stage.daemon();
        daemon.ask("stderr what it printed");
        daemon.send(ending);
        let expected = format!("error=the daemon {words}\nstatus={status}\nrunning=none\nstderr=what it printed\\n");
        assert_eq!(client.answer(), expected);
        assert_eq!(stage.processes(), [client.process], "left behind");
    }
}

#[test]
fn what_a_failed_daemon_wrote_is_escaped_and_has_a_limit() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    client.send("spawn --notify --stderr log");
    let mut daemon = stage.daemon();
    daemon.ask("fill-stderr 1");
    daemon.ask("stderr \u{1b}[2J");
    daemon.send("exit 3");
    let said = client.answer();
    let (_, wrote) = said.split_once("stderr=").expect(&said);
    let kept = "y".repeat((64 << 10) - "\u{1b}[2J\n".len());
    // The client escapes it once more.
    let expected = format!("(only the last 64 KiB of standard error follow)\\n{kept}\\\\u{{1b}}[2J\\n");
    assert!(wrote == expected, "{} bytes: {wrote:.100} … {}", wrote.len(), &wrote[wrote.len().saturating_sub(30)..]);
}

#[test]
fn a_panic_is_101() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    client.send("spawn --notify");
    let mut daemon = stage.daemon();
    daemon.send("panic no luck");
    let said = client.answer();
    assert!(said.contains("\nstatus=101\n") && said.contains("no luck"), "{said}");

    let (mut daemon, _) = spawned(&stage, &mut client, "--pidfile pid");
    daemon.send("panic no luck");
    assert_eq!(daemon.wait(), WaitStatus::Exited(nix::unistd::Pid::from_raw(daemon.process.0), 101));
    assert_eq!(stage.files(), [""; 0]);
}

#[test]
fn the_daemon_ends_with_main() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    let (mut daemon, _) = spawned(&stage, &mut client, "--pidfile pid --stdout log");
    daemon.ask("print the end");
    daemon.send("return-status 7");
    assert_eq!(daemon.wait(), WaitStatus::Exited(nix::unistd::Pid::from_raw(daemon.process.0), 7));
    assert_eq!((stage.files(), stage.read("log")), (vec!["log".to_owned()], "the end".into()));
    assert!(client.process.is_alive());
}

/// Guards, thread-locals, exit handlers and buffered output are the client's.
#[test]
fn what_is_the_clients_happens_once() {
    let stage = Stage::new();
    let mut command = stage.command(CLIENT);
    let (launcher, mut client) = client(&stage, command.args(["obey", "trace"]));
    for ending in ["return", "panic no luck", "raise 9"] {
        let (mut daemon, _) = spawned(&stage, &mut client, "--stdout log");
        daemon.send(ending);
        daemon.wait();
    }
    client.send("return");
    let launch = launcher.end();
    assert_eq!((launch.status, launch.stdout.as_str()), (0, "from Rust, from C, "));
    let id = client.process.0;
    let mut traces: Vec<_> = stage.read("trace").lines().map(str::to_owned).collect();
    traces.sort();
    let mut expected = vec![format!("exit handler {id}"), format!("guard {id}")];
    expected.extend(Libc::of(CLIENT).drops_thread_locals_of_main().then(|| format!("thread-local {id}")));
    assert_eq!(traces, expected);
    assert!(!stage.read("log").contains("from"), "{}", stage.read("log"));
}

/// What cannot be written out before the fork would be written twice.
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    client.ask("stdout-to /dev/full");
    client.ask("print some words");
    let said = client.ask("spawn");
    assert!(said.starts_with("error=cannot write to standard output: No space left on device"), "{said}");
}

#[test]
fn ctrl_c_ends_the_start() {
    let stage = Stage::new();
    let mut terminal = Terminal::open();
    let mut command = stage.command(ARRANGE);
    command.args(["--default", "SIGINT", "--terminal"]).arg(&terminal.path);
    let (_launcher, mut client) = client(&stage, command.args(["--", CLIENT, "obey", "quietly"]));
    client.ask("handle SIGINT");
    client.send("spawn --notify");
    let daemon = stage.daemon();
    terminal.type_in("\u{3}");
    let said = client.answer();
    assert_eq!(
        said,
        "error=the launcher ended before it was ready: signal: 2 (SIGINT)\nstatus=130\nrunning=none\nstderr="
    );
    eventually("the end of the daemon", || (!daemon.process.is_alive()).then_some(()));
}

/// Where the program has the kernel reap its children, nobody learns how.
#[test]
fn a_launcher_that_is_killed_and_reaped_has_failed() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    client.send("spawn --ignore-signal SIGCHLD --notify");
    let daemon = stage.daemon();
    client.process.child().expect("the launcher").signal(Signal::SIGKILL);
    assert_eq!(client.answer(), "error=the launcher ended without a report\nstatus=1\nrunning=none\nstderr=");
    eventually("the end of the daemon", || (!daemon.process.is_alive()).then_some(()));
}

#[test]
fn nobody_is_left_where_the_client_is_killed() {
    let stage = Stage::new();
    let (launcher, mut client) = client(&stage, &mut obeying(&stage));
    client.send("spawn --notify");
    let daemon = stage.daemon();
    client.process.signal(Signal::SIGKILL);
    drop(launcher);
    eventually("the end of the daemon", || (!daemon.process.is_alive()).then_some(()));
    eventually("the end of everybody", || stage.processes().is_empty().then_some(()));
}

/// A client that acted as another user meanwhile would not be told, `PR_SET_PDEATHSIG(2const)`.
#[test]
fn nobody_is_left_where_the_client_of_a_users_daemon_is_killed() {
    needs_root!();
    let stage = Stage::new();
    stage.open_to_all();
    stage.create_directory("logs");
    chown(stage.path("logs"), Some(65534), None).expect("chown");
    let (launcher, mut client) = client(&stage, &mut obeying(&stage));
    client.send("spawn --notify --user nobody --stdout logs/log --connect");
    let daemon = stage.daemon();
    client.process.signal(Signal::SIGKILL);
    drop(launcher);
    eventually("the end of the daemon", || (!daemon.process.is_alive()).then_some(()));
}

/// The client is told that the start failed.
#[test]
fn nobody_is_left_where_the_launcher_is_killed_before_it_hears_of_the_daemon() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    client.send("spawn --notify");
    let mut daemon = stage.daemon();
    kill_when_the_leader_reported(client.process.child().expect("the launcher"), &mut daemon);
    assert!(client.answer().contains("\nstatus=137\n"));
    eventually("the end of the daemon", || (!daemon.process.is_alive()).then_some(()));
}

/// A lock that was taken before goes to the daemon.
#[test]
fn a_lock_of_the_client_is_the_daemons() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    let (daemon, _) = spawned(&stage, &mut client, "--pidfile pid --lock");
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
    assert!(client.ask("spawn --pidfile pid --lock").contains("already running as process"));
    client.send("spawn --pidfile other --lock --notify");
    let mut failing = stage.daemon();
    failing.send("raise 9"); // and removes nothing itself
    assert!(client.answer().contains("status=137"));
    assert_eq!(stage.files(), ["pid"]);
}

/// The client does so while the start goes on, and before it.
#[test]
fn a_client_that_ends_leaves_no_pidfile() {
    for (options, signal) in
        [("--notify", Signal::SIGKILL), ("--notify", Signal::SIGTERM), ("--exit 0", Signal::SIGTERM)]
    {
        let stage = Stage::new();
        let mut command = stage.command(ARRANGE);
        command.args(["--default", "SIGTERM", "--", CLIENT, "obey", "quietly"]);
        let (launcher, mut client) = client(&stage, &mut command);
        client.send(&format!("spawn --pidfile pid --lock {options}"));
        let starting = (options == "--notify").then(|| stage.daemon());
        if starting.is_some() {
            client.process.signal(signal);
        }
        drop(launcher.end());
        eventually("the end of everybody", || stage.processes().is_empty().then_some(()));
        assert_eq!(stage.files(), [""; 0], "{options} {signal}");
    }
}

/// The lock of a failed start may be gone: another instance may have come since.
#[test]
fn a_lock_is_for_one_start() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    client.send("spawn --pidfile pid --lock --notify");
    let mut failing = stage.daemon();
    failing.send("exit 3");
    assert!(client.answer().contains("\nstatus=3\n"));
    let other = stage.started(stage.command(CLIENT).args(["start", "--pidfile", "pid"]));
    assert!(client.ask("respawn").contains(&format!("\nrunning={}\n", other.process.0)));
}

#[test]
fn signals_of_the_client_that_were_ignored_are_not_ignored_in_any_daemon() {
    let stage = Stage::new();
    let mut command = stage.command(ARRANGE);
    let (_launcher, mut client) =
        client(&stage, command.args(["--ignore", "SIGCHLD", "--", CLIENT, "obey", "quietly"]));
    let (first, _) = spawned(&stage, &mut client, "");
    client.send("respawn");
    let second = stage.daemon();
    let _ = client.answer();
    assert_eq!(second.sight.get("SigIgn"), first.sight.get("SigIgn"));
}

#[test]
fn signals_of_the_client_stay_where_it_is_refused() {
    for way in ["--foreground", "--start-timeout 0"] {
        let stage = Stage::new();
        let mut command = stage.command(ARRANGE);
        command.args(["--ignore", "SIGCHLD", "--", CLIENT, "obey", "quietly"]);
        let (_launcher, mut client) = client(&stage, &mut command);
        let before = client.look();
        assert!(client.ask(&format!("spawn {way}")).starts_with("error="));
        assert_eq!(client.look().get("SigIgn"), before.get("SigIgn"), "{way}");
    }
}

/// It waits for a lock no longer than exit(3) does.
#[test]
fn the_daemon_ends_while_a_thread_holds_standard_output() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    let (mut daemon, _) = spawned(&stage, &mut client, "--pidfile pid");
    daemon.ask("hold-stdout-in-thread");
    daemon.send("return-status 7");
    assert_eq!(daemon.wait(), WaitStatus::Exited(nix::unistd::Pid::from_raw(daemon.process.0), 7));
    assert_eq!(stage.files(), [""; 0]);
}

/// A client may print whatever a daemon says.
#[test]
fn what_a_daemon_forges_is_fit_for_a_terminal() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    client.send("spawn --notify --start-timeout 2000");
    let mut daemon = stage.daemon();
    daemon.send("to-leader 1 200000");
    let said = client.answer();
    assert!(said.starts_with("error=\\u{1}\\u{1}") && !said.contains('\u{1}'), "{said:.100}");
}

#[test]
fn it_never_stays_in_the_foreground() {
    let stage = Stage::new();
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    let said = client.ask("spawn --foreground");
    assert_eq!(
        said,
        "error=cannot spawn a daemon in the foreground: `detach` is `Never`\nstatus=1\nrunning=none\nstderr="
    );
}
