//! inetd(8), which starts a program for each connection, and gives it that as its standard streams.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::fd::OwnedFd,
};

use nix::{
    sys::signal::Signal,
    unistd::{Uid, User},
};
use support::{DEADLINE, Daemon, Launcher, Stage, eventually, needs_root, needs_tools};

use crate::PROBE;

const WORDS: &str = "inetd: its standard input is an internet socket";

struct Inetd {
    running: Launcher,
    port: u16,
}

impl Inetd {
    /// Serves a port of the loopback by a program, started as that user: `7 stream tcp nowait nobody program argument…`
    fn start(stage: &Stage, kind: &str, user: &str, program: &str) -> Self {
        let port = free_port();
        fs::write(stage.path("conf"), format!("127.0.0.1:{port} {kind} {user} {program}\n")).expect("write");
        let running = stage.start(stage.command("inetd").args(["-i", "conf"]));
        Self { running, port }
    }

    fn connect(&self) -> TcpStream {
        let connection = eventually("inetd", || TcpStream::connect(("127.0.0.1", self.port)).ok());
        connection.set_read_timeout(Some(DEADLINE)).expect("set a timeout");
        connection
    }
}

/// Nobody else's for as long as it takes: the kernel hands them out in no order.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn user() -> String {
    User::from_uid(Uid::effective()).expect("a database").expect("an entry").name
}

fn all_that_comes(mut connection: TcpStream) -> String {
    let mut text = String::new();
    connection.read_to_string(&mut text).expect("the end of a connection");
    text
}

/// A socket, and the same one, as its three streams.
fn has_the_connection_as_its_streams(program: &Daemon) {
    let descriptors = program.sight.descriptors();
    assert!(descriptors[&0].starts_with("socket:"), "{descriptors:?}");
    assert_eq!([descriptors[&1], descriptors[&2]], [descriptors[&0]; 2]);
}

#[test]
fn it_answers_on_the_connection() {
    needs_tools!("inetd");
    let stage = Stage::new();
    stage.create_directory("work");
    let directory = stage.directory().display();
    let options = format!(
        "--umask 077 --chdir {directory}/work --pidfile {directory}/pid --stdout {directory}/log --notify --lock"
    );
    let inetd = Inetd::start(&stage, "stream tcp nowait", &user(), &format!("{PROBE} probe {options}"));
    let mut connections = [inetd.connect(), inetd.connect()];
    let mut programs = [stage.daemon(), stage.daemon()]; // at the same time: there is no pidfile
    for program in &mut programs {
        program.assert_stays(WORDS);
        assert_eq!(program.process.parent(), inetd.running.process.0);
        has_the_connection_as_its_streams(program);
        assert_eq!(program.sight.get("Umask"), "0077");
        assert_eq!(program.sight.get("directory"), format!("{directory}/work"));
        assert_eq!(program.ask("ready"), "");
        program.ask("stdout hello");
    }
    assert_eq!(stage.files(), ["conf", "work"]);
    for connection in &mut connections {
        connection.write_all(b"who is there?").expect("ask");
        connection.shutdown(std::net::Shutdown::Write).expect("end the question");
    }
    for program in &mut programs {
        assert_eq!(program.ask("stdin"), "who is there?");
        program.send("return");
    }
    assert_eq!(connections.map(all_that_comes), ["hello\n"; 2]);
}

#[test]
fn its_peer_does_not_read_why_a_start_failed() {
    needs_tools!("inetd");
    for options in ["--umask 1000", "--chdir /missing", "--user nobody-of-that-name", "--fail no-luck"] {
        let stage = Stage::new();
        let inetd = Inetd::start(&stage, "stream tcp nowait", &user(), &format!("{PROBE} probe {options}"));
        assert_eq!(all_that_comes(inetd.connect()), "", "{options}");
        assert!(stage.no_daemon_reported(), "{options}");
        // So that silence is no accident: without a fault it speaks.
        drop(inetd);
        let inetd = Inetd::start(&stage, "stream tcp nowait", &user(), &format!("{PROBE} probe --print hello"));
        let connection = inetd.connect();
        let mut program = stage.daemon();
        program.send("return");
        assert_eq!(all_that_comes(connection), "hello");
    }
}

#[test]
fn it_runs_as_the_user_of_its_line() {
    needs_root!();
    needs_tools!("inetd");
    let stage = Stage::new();
    let nobody = User::from_name("nobody").expect("a database").expect("nobody");
    stage.open_to_all();
    let program = format!("{} probe --pidfile /root/pid", stage.copy(PROBE).display());
    let inetd = Inetd::start(&stage, "stream tcp nowait", "nobody", &program);
    let connection = inetd.connect();
    let mut program = stage.daemon();
    program.assert_stays(WORDS);
    assert_eq!(program.process.status("Uid"), Some(format!("{0}\t{0}\t{0}\t{0}", nobody.uid)));
    program.ask("stdout hello");
    program.send("return");
    assert_eq!(all_that_comes(connection), "hello\n");
}

/// The socket itself, which the program accepts connections from; inetd listens again when it has ended.
#[test]
fn it_stays_with_a_listening_socket() {
    needs_tools!("inetd");
    let stage = Stage::new();
    let inetd = Inetd::start(&stage, "stream tcp wait", &user(), &format!("{PROBE} probe --pidfile pid"));
    let mut before = None;
    for _ in 0..2 {
        let _waiting = inetd.connect();
        let mut program = stage.daemon();
        program.assert_stays(WORDS);
        assert_eq!(program.process.parent(), inetd.running.process.0);
        assert_ne!(before.replace(program.process), Some(program.process));
        let _second = inetd.connect();
        program.look();
        assert!(stage.no_daemon_reported(), "inetd waits");
        program.process.signal(Signal::SIGKILL);
    }
}

#[test]
fn it_stays_with_a_datagram() {
    needs_tools!("inetd");
    let stage = Stage::new();
    let inetd = Inetd::start(&stage, "dgram udp wait", &user(), &format!("{PROBE} probe"));
    let client = UdpSocket::bind("127.0.0.1:0").expect("bind");
    client.connect(("127.0.0.1", inetd.port)).expect("connect");
    eventually("a program that was started", || {
        let _ = client.send(b"hello"); // nobody may be there yet
        (!stage.no_daemon_reported()).then_some(())
    });
    let program = stage.daemon();
    program.assert_stays(WORDS);
    has_the_connection_as_its_streams(&program);
}

/// Only what would go to the peer is kept from it.
#[test]
fn errors_go_to_a_stream_of_their_own() {
    let stage = Stage::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let connection = TcpStream::connect(listener.local_addr().expect("a port")).expect("connect");
    let launch = stage.launch(stage.command(PROBE).args(["--umask", "1000"]).stdin(OwnedFd::from(connection)));
    let line = "probe: `umask` must be between 0o000 and 0o777, found 0o1000\n";
    assert_eq!((launch.status, launch.stderr.as_str()), (1, line));
}
