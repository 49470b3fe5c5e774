//! The example `client`, as a person calls it: the first call starts a server, and the next ones find it.

use std::{io::Write, os::unix::net::UnixListener};

use nix::sys::signal::Signal;
use support::{Launch, Process, Stage, eventually};

use super::shell::the_daemon;
use crate::{PROBE, cargo::example};

#[test]
fn the_first_call_starts_a_server_and_the_second_finds_it() {
    let stage = Stage::new();
    let server = first_call(&stage);
    assert_ne!(server.session(), Process::own().session());
    assert_eq!(stage.read("client.pid"), format!("{}\n", server.0));
    assert_says(&call(&stage), &format!("call 2, answered by process {}\n", server.0));
    assert_eq!(stage.processes(), [server]);
    assert_eq!(stage.files(), ["client.log", "client.pid", "client.socket"]);
    assert_eq!(stage.read("client.log"), "");
}

#[test]
fn four_first_calls_start_one_server() {
    let stage = Stage::new();
    let calls = [(); 4].map(|()| stage.start(&mut stage.command(example("client"))));
    let answers = calls.map(|call| call.end().stdout);
    let server = the_daemon(&stage).0;
    let started = format!("started a server, process {server}\n");
    let mut replies = answers.each_ref().map(|answer| answer.strip_prefix(&started).unwrap_or(answer));
    replies.sort_unstable();
    assert_eq!(replies, [1, 2, 3, 4].map(|call| format!("call {call}, answered by process {server}\n")));
    assert_eq!(answers.concat().matches(&started).count(), 1, "{answers:?}");
}

/// The test is the server of that call, which holds the pidfile and does not listen yet.
#[test]
fn a_server_that_another_call_starts_is_waited_for() {
    let stage = Stage::new();
    let _launcher = stage.start(stage.command(PROBE).args(["--pidfile", "client.pid", "--notify"]));
    let mut starting = stage.daemon();
    let call = stage.start(&mut stage.command(example("client")));
    let leader = Process(starting.process.session());
    let waits = || call.process.child().filter(|launcher| launcher.has_pidfd_of(leader)).map(drop);
    eventually("a start that waits", waits);
    let listener = UnixListener::bind(stage.path("client.socket")).expect("bind");
    assert_eq!(starting.ask("ready"), "");
    listener.set_nonblocking(true).expect("a mode");
    let (mut connection, _) = eventually("a call", || listener.accept().ok());
    connection.write_all(b"call 1\n").expect("answer");
    drop(connection);
    assert_says(&call.end(), "call 1\n");
}

#[test]
fn a_server_that_was_ended_is_started_again() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let stage = Stage::new();
        let first = first_call(&stage);
        first.signal(signal);
        first.wait();
        let second = first_call(&stage);
        assert_ne!(second, first);
    }
}

/// What it cannot do, it says, and leaves no server.
#[test]
fn a_server_that_cannot_listen_fails_the_call() {
    let stage = Stage::new();
    stage.create_directory("client.socket");
    let launch = call(&stage);
    let log = stage.read("client.log");
    assert!(log.contains("AddrInUse"), "{log}");
    let lines = format!("Error: the daemon ended before it was ready: exit status: 1\n{log}");
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr), (1, "", lines));
    eventually("the end of everybody", || stage.processes().is_empty().then_some(()));
}

fn call(stage: &Stage) -> Launch {
    stage.launch(&mut stage.command(example("client")))
}

/// A call that starts the server, which it returns.
fn first_call(stage: &Stage) -> Process {
    let launch = call(stage);
    let server = the_daemon(stage);
    assert_says(&launch, &format!("started a server, process {0}\ncall 1, answered by process {0}\n", server.0));
    server
}

fn assert_says(launch: &Launch, text: &str) {
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (0, text, ""));
}
