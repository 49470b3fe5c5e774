//! A service under load, whose daemon ends in every way: each connection that it was not serving is served.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
};

use nix::sys::signal::Signal;
use support::{Choices, DEADLINE, Process, Stage, eventually, is_root, skip};

use super::AT_ONCE;
use crate::PROBE;

const CLIENTS: usize = 8;
const ENDS: usize = 100;
const SEED: u64 = 0x5eed_20aa_0000_2026;

/// The service of [`serving`](../../programs/serving.rs), as a client sees it.
pub(super) struct Service {
    port: u16,
}

/// What came of a connection.
#[derive(Debug, PartialEq)]
enum Answer {
    From(i32),
    /// The other end was closed or reset in the middle.
    Cut,
    Refused,
}

impl Service {
    pub(super) fn of(stage: &Stage) -> Self {
        let port = eventually("the port", || stage.read("port").parse().ok());
        Self { port }
    }

    fn ask(&self, path: &str) -> Answer {
        let mut connection = match TcpStream::connect(("127.0.0.1", self.port)) {
            Ok(connection) => connection,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Answer::Refused,
            Err(error) => panic!("{error}"),
        };
        connection.set_read_timeout(Some(DEADLINE)).expect("set a timeout");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let mut answer = String::new();
        let read = connection.write_all(request.as_bytes()).and_then(|()| connection.read_to_string(&mut answer));
        assert!(!read.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "no answer in time");
        match answer.split_once("\r\n\r\n") {
            Some((_, id)) if read.is_ok() => Answer::From(id.parse().expect("a process")),
            _ => Answer::Cut,
        }
    }

    /// A daemon that was killed may still have taken the connection.
    pub(super) fn id(&self) -> i32 {
        loop {
            match self.ask("/") {
                Answer::From(id) => return id,
                Answer::Cut => {}
                Answer::Refused => panic!("refused"),
            }
        }
    }

    pub(super) fn end_by(&self, path: &str) {
        assert_eq!(self.ask(path), Answer::Cut);
    }
}

/// Ends the daemon so many times in these ways, while others ask it all the time.
fn stays_up(stage: &Stage, command: &mut Command, ways: &[&str]) {
    println!("seed {SEED:#x}"); // shown when it fails
    let launch = stage.launch(command);
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""), "{command:?}");
    let service = Service::of(stage);
    let supervisor = Process(Process(service.id()).parent());
    let (is_over, cut, served) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let killed = thread::scope(|scope| {
        let _over = Over(&is_over);
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !is_over.load(SeqCst) {
                    match service.ask("/") {
                        Answer::From(_) => _ = served.fetch_add(1, SeqCst),
                        Answer::Cut => _ = cut.fetch_add(1, SeqCst),
                        Answer::Refused => panic!("refused"),
                    }
                }
            });
        }
        let mut choices = Choices::new(SEED);
        let mut killed = 0;
        for _ in 0..ENDS {
            match choices.of(ways) {
                "kill" => {
                    Process(service.id()).signal(Signal::SIGKILL);
                    killed += 1;
                }
                path => assert_eq!(service.ask(path), Answer::Cut, "{path}"),
            }
        }
        assert_eq!(Process(service.id()).parent(), supervisor.0);
        killed
    });
    let (cut, served) = (cut.into_inner(), served.into_inner());
    assert!(cut <= killed, "{cut} connections were cut by {killed} signals");
    assert!(served > ENDS, "{served}");
    supervisor.signal(Signal::SIGTERM);
    supervisor.wait();
    assert_eq!(service.ask("/"), Answer::Refused, "nobody listens any more");
    assert_eq!(stage.processes(), []);
}

/// Dropped, it lets the clients end.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

fn serving(stage: &Stage, options: &[&str]) -> Command {
    let mut command = stage.command(PROBE);
    command.args(["--serve", "port", "--respawn", AT_ONCE]).args(options);
    command
}

#[test]
fn no_connection_is_refused() {
    let stage = Stage::new();
    stays_up(&stage, &mut serving(&stage, &[]), &["/crash", "/exit", "kill"]);
}

#[test]
fn nor_with_other_options() {
    let stage = Stage::new();
    let options = ["--notify", "--pidfile", "pid", "--stdout", "log", "--reopen-logs"];
    stays_up(&stage, &mut serving(&stage, &options), &["/crash", "/exit", "kill"]);
    assert_eq!(stage.files(), ["log", "port"]);
    let stage = Stage::new();
    let command = &mut serving(&stage, &["--keep-fds", "7", "--keep-env", "A"]);
    let mut shell = stage.command("sh");
    shell.args(["-c", "exec 7>kept \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
    stays_up(&stage, &mut shell, &["/crash", "/exit", "kill"]);
}

#[test]
fn nor_as_another_user_and_in_a_jail() {
    if !is_root() {
        return;
    }
    for options in [["--user", "nobody"].as_slice(), &["--chroot", "jail"], &["--user", "nobody", "--chroot", "jail"]] {
        let stage = Stage::new();
        stage.open_to_all();
        stage.create_directory("jail");
        let all = [options, &["--notify", "--pidfile", "pid"]].concat();
        stays_up(&stage, &mut serving(&stage, &all), &["/crash", "/exit", "kill"]);
        assert_eq!(stage.files(), ["jail", "port"], "the supervisor removed the pidfile");
    }
}

/// A control group whose memory is limited, cgroups(7), of either version.
struct Memory(PathBuf);

impl Memory {
    fn new(limit: &str) -> Option<Self> {
        let name = format!("respawn-{}", std::process::id());
        for (root, file) in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")] {
            let group = Self(Path::new(root).join(&name));
            if fs::create_dir(&group.0).is_ok() && fs::write(group.0.join(file), limit).is_ok() {
                let _ = fs::write(group.0.join("memory.swap.max"), "0");
                return Some(group);
            }
        }
        None
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn nor_where_the_system_kills_for_memory() {
    if !is_root() {
        return;
    }
    let Some(group) = Memory::new("33554432") else { return skip("a control group whose memory can be limited") };
    let stage = Stage::new();
    let command = serving(&stage, &["--stdout", "log"]);
    let mut shell = stage.command("sh");
    let script = format!("echo $$ >{}/cgroup.procs && exec \"$@\"", group.0.display());
    shell.args(["-c", &script, "sh"]).arg(command.get_program()).args(command.get_args());
    stays_up(&stage, &mut shell, &["/memory", "/exit"]);
    assert!(stage.read("log").contains("signal: 9 (SIGKILL)"), "{}", stage.read("log"));
}
