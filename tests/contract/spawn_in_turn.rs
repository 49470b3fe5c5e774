//! `Daemon::spawn` while another start of the same daemon is under way: the caller relies on what it is told of that.

use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use support::{Daemon, Launcher, Process, Stage, Terminal, eventually};

use super::spawn::{client, obeying};
use crate::{ARRANGE, CLIENT, PROBE};

/// The pidfile names the daemon, or its supervisor.
const KINDS: [&[&str]; 2] = [&[], &["--respawn", "on-failure"]];

/// A daemon that is starting, with its launcher.
fn starting(stage: &Stage, kind: &[&str]) -> (Launcher, Daemon) {
    let launcher = stage.start(stage.command(PROBE).args(["--pidfile", "pid", "--notify"]).args(kind));
    (launcher, stage.daemon())
}

/// The process that the pidfile names, while it is starting.
fn named(starting: &Daemon, kind: &[&str]) -> Process {
    if kind.is_empty() { starting.process } else { Process(starting.process.parent()) }
}

/// Returns when the client's launcher waits for that start: for the end of its leader.
fn spawn_meanwhile(client: &mut Daemon, starting: &Daemon, options: &str) {
    client.send(&format!("spawn --pidfile pid --notify {options}"));
    let leader = Process(starting.process.session());
    let waits = || client.process.child().filter(|launcher| launcher.has_pidfd_of(leader)).map(drop);
    eventually("a launcher that waits", waits);
}

fn running(process: Process) -> String {
    format!("\nrunning={}\n", process.0)
}

#[test]
fn the_other_instance_is_ready_by_then() {
    for kind in KINDS {
        let stage = Stage::new();
        let (_launcher, mut first) = starting(&stage, kind);
        let named = named(&first, kind);
        let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
        spawn_meanwhile(&mut client, &first, "");
        assert_eq!(first.ask("ready"), "");
        let said = client.answer();
        assert!(said.contains(&running(named)), "{said}");
        assert!(stage.no_daemon_reported());
    }
}

#[test]
fn where_the_other_start_fails_the_daemon_is_its_own() {
    for kind in KINDS {
        let stage = Stage::new();
        let (launcher, mut first) = starting(&stage, kind);
        let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
        spawn_meanwhile(&mut client, &first, "");
        first.send("exit 3");
        assert_eq!(launcher.end().status, 3);
        let mut second = stage.daemon();
        assert_eq!(second.ask("ready"), "");
        assert_eq!(client.answer(), format!("pid={}\nmessage=none", second.process.0));
        assert_eq!(stage.read("pid"), format!("{}\n", second.process.0));
    }
}

/// No client waits for ever, or longer than for a daemon of its own.
#[test]
fn the_wait_has_an_end() {
    for kind in KINDS {
        let stage = Stage::new();
        let (_launcher, first) = starting(&stage, kind);
        let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
        spawn_meanwhile(&mut client, &first, "--start-timeout 1000");
        assert!(client.answer().contains(&running(named(&first, kind))));
        assert!(first.process.is_alive());
    }
}

/// A daemon that an attacker has taken over can leave its session, and give up its locks, and that is all.
#[test]
fn a_daemon_that_runs_keeps_nobody_waiting() {
    for kind in KINDS {
        for commands in [&["look"][..], &["leave-group"], &["fork"], &["leave-group", "give up the record lock"]] {
            let stage = Stage::new();
            let (_launcher, mut first) = starting(&stage, kind);
            let named = named(&first, kind);
            first.ask("ready");
            for command in commands {
                match *command {
                    // By a close, fcntl(2).
                    "give up the record lock" => first.ask(&format!("open-terminal {}", stage.path("pid").display())),
                    command => first.ask(command),
                };
            }
            let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
            let said = client.ask("spawn --pidfile pid");
            assert!(said.contains(&running(named)), "{kind:?} {commands:?} {said}");
        }
    }
}

/// Nothing would show when it is ready.
#[test]
fn an_instance_in_the_foreground_is_not_waited_for() {
    let stage = Stage::new();
    let script = "\"$0\" --pidfile pid --notify --foreground; exit";
    let _launcher = stage.start(stage.command("setsid").args(["sh", "-c", script, PROBE]));
    let first = stage.daemon();
    assert_eq!(first.process.session(), first.process.parent());
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    let said = client.ask("spawn --pidfile pid");
    assert!(said.contains(&running(first.process)), "{said}");
}

/// A `setup` that locked the pidfile may take its time.
#[test]
fn one_that_has_not_named_itself_yet_is_waited_for() {
    let stage = Stage::new();
    let starting = Flock::lock(stage.create("pid"), FlockArg::LockExclusiveNonblock).expect("a lock");
    let (_launcher, mut client) = client(&stage, &mut obeying(&stage));
    client.send("spawn --pidfile pid --start-timeout 60000");
    let start = Instant::now(); // others are told after five seconds
    eventually("six seconds", || (start.elapsed() > Duration::from_secs(6)).then_some(()));
    drop(starting);
    let daemon = stage.daemon();
    assert_eq!(client.answer(), format!("pid={}\nmessage=none", daemon.process.0));
}

/// Whatever the client does with the signal.
#[test]
fn ctrl_c_ends_the_wait() {
    let stage = Stage::new();
    let (_launcher, first) = starting(&stage, &[]);
    let mut terminal = Terminal::open();
    let mut command = stage.command(ARRANGE);
    command.args(["--default", "SIGINT", "--terminal"]).arg(&terminal.path);
    let (_launcher, mut client) = client(&stage, command.args(["--", CLIENT, "obey", "quietly"]));
    client.ask("handle SIGINT");
    spawn_meanwhile(&mut client, &first, "");
    terminal.type_in("\u{3}");
    assert!(client.answer().contains("\nstatus=130\n"));
    assert!(first.process.is_alive());
}

/// Somebody who starts one in another way is told at once that there is one.
#[test]
fn a_start_of_another_kind_does_not_wait() {
    for program in [&[PROBE][..], &[CLIENT, "start"]] {
        let stage = Stage::new();
        let (_launcher, first) = starting(&stage, &[]);
        let launch = stage.launch(stage.command(program[0]).args(&program[1..]).args(["--pidfile", "pid"]));
        assert_eq!(launch.status, 1);
        assert!((launch.stdout + &launch.stderr).contains(&format!("already running as process {}", first.process.0)));
    }
}
