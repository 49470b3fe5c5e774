//! The example `echo`, a program without the attribute, as a person starts it.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener},
};

use nix::libc::EADDRINUSE;
use support::{Launch, Process, Stage, eventually};

use super::shell::{connect, stop_by_default_action, the_daemon};
use crate::cargo::example;

#[test]
fn it_says_where_it_listens_and_sends_back_what_comes() {
    let stage = Stage::new();
    let launch = start(&stage, "127.0.0.1:0");
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    let daemon = the_daemon(&stage);
    assert_ne!(daemon.session(), Process::own().session());
    assert_echoes(address(&launch.stdout));
    assert_eq!((stage.files(), stage.read("echo.log")), (vec!["echo.log".to_owned()], String::new()));
    stop_by_default_action(daemon);
}

#[test]
fn it_says_that_the_port_is_taken() {
    let stage = Stage::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = taken.local_addr().expect("an address").to_string();
    let launch = start(&stage, &address);
    let line = format!("echo: cannot listen on {address}: {}\n", io::Error::from_raw_os_error(EADDRINUSE));
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr), (1, "", line));
    assert_eq!((stage.processes(), stage.files()), (vec![], vec![]));
}

#[test]
fn a_start_that_fails_is_a_line_and_a_status() {
    let stage = Stage::new();
    stage.create_directory("echo.log");
    let launch = start(&stage, "127.0.0.1:0");
    let log = fs::canonicalize(stage.path("echo.log")).expect("a path");
    let line = format!("echo: cannot open stdout {}: Is a directory (os error 21)\n", log.display());
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr), (1, "", line));
    assert_eq!(stage.processes(), []);
}

#[test]
fn it_stays_in_the_foreground() {
    let stage = Stage::new();
    let mut command = stage.command(example("echo"));
    let mut child = command
        .args(["--foreground", "127.0.0.1:0"])
        .stdout(stage.create("terminal"))
        .spawn()
        .expect("start the example");
    let line = eventually("a line", || Some(stage.read("terminal")).filter(|text| text.ends_with('\n')));
    assert_echoes(address(&line));
    assert_eq!(stage.processes().iter().map(|process| process.0.unsigned_abs()).collect::<Vec<_>>(), [child.id()]);
    assert_eq!(stage.files(), ["terminal"]);
    child.kill().and_then(|()| child.wait()).expect("end the example");
}

fn start(stage: &Stage, address: &str) -> Launch {
    stage.launch(stage.command(example("echo")).arg(address))
}

/// What the line `listening on 127.0.0.1:7007` says.
fn address(line: &str) -> SocketAddr {
    let address = line.strip_prefix("listening on ").and_then(|line| line.strip_suffix('\n'));
    address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("{line:?}"))
}

/// Two clients at once, who take turns.
fn assert_echoes(address: SocketAddr) {
    let mut clients = [(); 2].map(|()| connect(address).expect("connect"));
    for client in &mut clients {
        client.write_all(b"who is there?\n").expect("write");
        client.shutdown(Shutdown::Write).expect("shut down");
    }
    for client in clients.iter_mut().rev() {
        let mut back = String::new();
        client.read_to_string(&mut back).expect("read");
        assert_eq!(back, "who is there?\n");
    }
}
