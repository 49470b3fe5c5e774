//! The new-style daemons of daemon(7): a program that a manager started is to stay where it is.

use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixStream},
    },
};

use nix::unistd::Uid;
use support::{Stage, within};

use crate::{
    program::{Program, SOON, Spawned, UNKNOWN_OPTION, WATCH, no_option, stage},
    verdict::{Objection, Verdict, judge, not_applicable, not_met},
};

/// The first process of the namespace, as systemd is: it starts the program, and says when that has ended.
const SYSTEMD: &str = r#"
sh -c 'SYSTEMD_EXEC_PID=$$; export SYSTEMD_EXEC_PID; exec "$@"' sh "$@" &
wait $!
echo $? >ended
exec sleep 1000
"#;

/// A program that systemd started, and the connection of its `main`.
struct Service {
    stage: Stage,
    _systemd: Spawned,
    main: UnixStream,
}

impl Service {
    fn start(program: &Program, stage: Stage, options: &[&str]) -> Result<Self, Objection> {
        if !Uid::effective().is_root() {
            return not_applicable("needs root");
        }
        let (_journal, output) = UnixStream::pair().expect("a pair of sockets");
        let mut systemd = stage.command("unshare");
        systemd.args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", SYSTEMD, "sh"]);
        systemd.args(program.words(options)?).env("NOTIFY_SOCKET", stage.path("notify"));
        let output = OwnedFd::from(output);
        systemd.stdout(output.try_clone().expect("a descriptor")).stderr(output);
        let systemd = Spawned::new(&mut systemd);
        let _begun_or_ended = within(SOON, || (!stage.no_daemon_reported() || ended(&stage).is_some()).then_some(()));
        if ended(&stage) == Some(UNKNOWN_OPTION) {
            return no_option();
        }
        let Some(main) = stage.connection_within(WATCH) else { return not_met("main does not begin") };
        Ok(Self { stage, _systemd: systemd, main })
    }
}

fn ended(stage: &Stage) -> Option<i32> {
    stage.read("ended").trim().parse().ok()
}

pub(crate) fn stays_under_systemd(program: &Program) -> Verdict {
    let service = Service::start(program, stage(), &["--detach", "auto"])?;
    let has_ended = within(WATCH, || ended(&service.stage)).is_some();
    judge(!has_ended, if has_ended { "the process that was started ends" } else { "it stays" })
}

pub(crate) fn tells_systemd(program: &Program) -> Verdict {
    let stage = stage();
    let manager = UnixDatagram::bind(stage.path("notify")).expect("bind a socket");
    manager.set_read_timeout(Some(SOON)).expect("set a timeout");
    let mut service = Service::start(program, stage, &["--detach", "auto", "--notify"])?;
    service.main.write_all(b"ready\n").expect("send a command");
    let mut message = [0; 1024];
    let length = manager.recv(&mut message).unwrap_or(0);
    let is_ready = message[..length].split(|&byte| byte == b'\n').any(|line| line == b"READY=1");
    judge(is_ready, if is_ready { "READY=1" } else { "nothing is heard" })
}

pub(crate) fn stays_under_inetd(program: &Program) -> Verdict {
    let stage = stage();
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind a socket");
    let _peer = TcpStream::connect(listener.local_addr().expect("an address")).expect("connect");
    let connection = OwnedFd::from(listener.accept().expect("a connection").0);
    let [stdin, stdout] = [(); 2].map(|()| connection.try_clone().expect("a descriptor"));
    let mut command = program.command(&stage, &[], &["--detach", "auto"])?;
    let mut launched = Spawned::new(command.stdin(stdin).stdout(stdout).stderr(connection));
    if launched.status_or_main(&stage) == Some(UNKNOWN_OPTION) {
        return no_option();
    }
    let Some(_main) = stage.connection_within(WATCH) else { return not_met("main does not begin") };
    let has_ended = launched.status_within(WATCH).is_some();
    judge(!has_ended, if has_ended { "the process that was started ends" } else { "it stays" })
}
