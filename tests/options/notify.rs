//! What the service manager hears, `sd_notify(3)`, at its own socket.

use std::{
    fs::{self, File},
    io::{ErrorKind, IoSliceMut},
    net::Shutdown,
    os::{
        fd::AsRawFd,
        linux::net::SocketAddrExt,
        unix::{
            fs::OpenOptionsExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    process::Command,
};

use nix::{
    cmsg_space, libc,
    sys::{
        signal::Signal,
        socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg, setsockopt, sockopt},
    },
    unistd::Pid,
};
use support::{DEADLINE, Process, Stage, Terminal, eventually, needs_root};

use crate::{ARRANGE, PROBE};

/// The socket of a manager that wants to know who speaks.
struct Manager(UnixDatagram);

impl Manager {
    fn listen(socket: UnixDatagram) -> Self {
        setsockopt(&socket, sockopt::PassCred, &true).expect("ask for credentials");
        socket.set_read_timeout(Some(DEADLINE)).expect("set a timeout");
        Self(socket)
    }

    fn at(stage: &Stage) -> Self {
        Self::listen(UnixDatagram::bind(stage.path("notify")).expect("bind"))
    }

    /// The next message, and the process that sent it.
    fn hears(&self) -> (String, Process) {
        let mut text = [0; 4096];
        let mut control = cmsg_space!(UnixCredentials);
        let mut buffers = [IoSliceMut::new(&mut text)];
        let message =
            recvmsg::<()>(self.0.as_raw_fd(), &mut buffers, Some(&mut control), MsgFlags::empty()).expect("a message");
        let length = message.bytes;
        let sender = message.cmsgs().expect("credentials").find_map(|message| match message {
            ControlMessageOwned::ScmCredentials(sender) => Some(Process(sender.pid())),
            _ => None,
        });
        (String::from_utf8_lossy(&text[..length]).into_owned(), sender.expect("a sender"))
    }

    /// Also where a child of another test holds a copy of the socket for a moment.
    fn leaves(self) {
        self.0.shutdown(Shutdown::Both).expect("shut down");
    }

    fn hears_nothing(&self) {
        self.0.set_nonblocking(true).expect("look once");
        let error = self.0.recv(&mut [0; 64]).expect_err("nothing");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn in_the_foreground_the_program_speaks_itself() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let mut program = launcher(&stage, &[]).spawn().expect("start");
    let mut daemon = stage.daemon();
    assert_eq!(daemon.sight.get("launched_by"), "a service manager: NOTIFY_SOCKET is set, and it has no terminal");
    assert_eq!(daemon.process.0.unsigned_abs(), program.id());
    manager.hears_nothing();

    manager.0.set_nonblocking(false).expect("wait");
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(manager.hears(), ("READY=1".to_owned(), daemon.process));
    assert_eq!(daemon.ask("ready"), "", "again");
    daemon.send("return");
    assert_eq!(manager.hears(), ("STOPPING=1".to_owned(), daemon.process));
    assert!(program.wait().expect("its end").success());
}

/// `StandardInput=tty` of systemd.exec(5) gives a service a terminal.
#[test]
fn a_service_on_a_terminal_speaks_too() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let terminal = Terminal::open();
    let mut shell = stage.command("sh");
    shell.args(["-c", "SYSTEMD_EXEC_PID=$$ exec \"$@\"", "sh", ARRANGE, "--terminal"]).arg(&terminal.path);
    shell.args(["--", PROBE, "--notify"]).env("NOTIFY_SOCKET", stage.path("notify"));
    let _program = stage.start(&mut shell);
    let mut daemon = stage.daemon();
    assert_eq!(daemon.sight.get("terminal"), "some");
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(manager.hears(), ("READY=1".to_owned(), daemon.process));
}

#[test]
fn after_a_detach_the_launcher_speaks_for_the_daemon() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let start = stage.start(&mut launcher(&stage, &["--detach", "always"]));
    let process = start.process;
    let mut daemon = stage.daemon();
    manager.hears_nothing();

    manager.0.set_nonblocking(false).expect("wait");
    assert_eq!(daemon.ask("ready"), "");
    manager.0.set_nonblocking(true).expect("look once"); // `ready` returns when the manager listens to the daemon
    assert_eq!(manager.hears(), (format!("MAINPID={}\nREADY=1", daemon.process.0), process));
    manager.0.set_nonblocking(false).expect("wait");
    assert_eq!(start.end().status, 0);
    daemon.send("return failed");
    assert_eq!(manager.hears(), ("STOPPING=1".to_owned(), daemon.process), "also when `main` fails");
    daemon.wait();
}

/// The daemon of a supervisor comes and goes, but the service exists as long as the supervisor.
#[test]
fn with_respawn_the_manager_is_told_of_the_supervisor_and_of_no_daemon() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let start = stage.start(&mut launcher(&stage, &["--detach", "always", "--respawn", "always,9,9000,1,1"]));
    let process = start.process;
    let mut daemon = stage.daemon();
    let supervisor = Process(daemon.process.parent());
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(manager.hears(), (format!("MAINPID={}\nREADY=1", supervisor.0), process));
    assert_eq!(start.end().status, 0);
    daemon.send("return failed");
    let mut next = stage.daemon();
    assert_eq!(next.ask("ready"), "");
    supervisor.signal(Signal::SIGTERM);
    supervisor.wait();
    manager.hears_nothing();
}

#[test]
fn a_name_in_the_abstract_namespace() {
    let stage = Stage::new();
    let name = format!("daemon-{}", stage.directory().display());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let manager = Manager::listen(UnixDatagram::bind_addr(&address).expect("bind"));
    for detach in ["never", "always"] {
        let mut command = launcher(&stage, &["--detach", detach]);
        let start = stage.start(command.env("NOTIFY_SOCKET", format!("@{name}")));
        let mut daemon = stage.daemon();
        assert_eq!(daemon.ask("ready"), "");
        assert!(manager.hears().0.ends_with("READY=1"), "{detach}");
        daemon.send("exit 0"); // does not return from `main`
        drop(start);
        manager.hears_nothing();
        manager.0.set_nonblocking(false).expect("wait");
    }
}

#[test]
fn without_notify_nothing_is_said() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    for detach in ["never", "always"] {
        let mut command = stage.command(PROBE);
        let start = stage.start(command.env("NOTIFY_SOCKET", stage.path("notify")).args(["--detach", detach]));
        let mut daemon = stage.daemon();
        assert_eq!(daemon.ask("ready"), "");
        daemon.send("return");
        eventually("its end", || (!daemon.process.is_alive()).then_some(()));
        drop(start);
        manager.hears_nothing();
    }
}

/// In the process that fails, or from the launcher, if that is another process.
#[test]
fn the_manager_hears_why_a_start_fails() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let directory = stage.directory().canonicalize().expect("a path").display().to_string();
    let holder = stage.started(stage.command(PROBE).args(["--pidfile", "pid"]));
    let running = format!("cannot lock {directory}/pid: already running as process {}", holder.process.0);
    let missing = "cannot change directory to /missing: No such file or directory (os error 2)";
    for detach in ["never", "always"] {
        for (options, why, errno) in [
            (["--chdir", "/missing"], missing, 2),
            (["--pidfile", "pid"], running.as_str(), 0),
            (["--fail", "one\nMAINPID=1\ttwo"], "one\\nMAINPID=1\\ttwo: the cause", 0),
        ] {
            let launch = stage.launch(launcher(&stage, &["--detach", detach]).args(options));
            assert_eq!(launch.status, 1, "{launch:?}");
            assert_eq!(manager.hears().0, format!("STATUS={why}\nEXIT_STATUS=1\nERRNO={errno}"), "{detach}");
        }
    }
    manager.hears_nothing();
}

#[test]
fn the_manager_hears_of_a_daemon_that_ends_before_it_is_ready() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let start = stage.start(&mut launcher(&stage, &["--detach", "always"]));
    let launcher = start.process;
    let mut daemon = stage.daemon();
    daemon.send("exit 7");
    assert_eq!(start.end().status, 7);
    let told = "STATUS=the daemon ended before it was ready: exit status: 7\nEXIT_STATUS=7\nERRNO=0";
    assert_eq!(manager.hears(), (told.to_owned(), launcher));
    manager.hears_nothing();
}

/// Most programs leave by `std::process::exit` when they fail.
#[test]
fn the_manager_hears_of_a_main_that_exits_before_it_is_ready() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let _start = stage.start(&mut launcher(&stage, &["--detach", "never"]));
    let mut daemon = stage.daemon();
    daemon.ask("fork-and-exit"); // a worker's end is none of the manager's
    daemon.send("exit 7");
    daemon.wait();
    assert_eq!(manager.hears(), ("STATUS=`main` exited before it was ready\nERRNO=0".to_owned(), daemon.process));
    let _start = stage.start(&mut launcher(&stage, &["--detach", "never", "--ready"]));
    let mut daemon = stage.daemon();
    assert_eq!(manager.hears().0, "READY=1");
    daemon.send("exit 7");
    daemon.wait();
    manager.hears_nothing();
}

#[test]
fn what_the_manager_hears_is_one_line_of_no_great_length() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let launch = stage.launch(launcher(&stage, &["--fail", &"é".repeat(4000)]).args(["--detach", "never"]));
    assert_eq!(launch.status, 1);
    assert_eq!(manager.hears().0, format!("STATUS={}\nEXIT_STATUS=1\nERRNO=0", "é".repeat(512)));
    let launch =
        stage.launch(launcher(&stage, &["--fail", &format!("e{}", "é".repeat(4000))]).args(["--detach", "never"]));
    assert_eq!(launch.status, 1);
    assert_eq!(manager.hears().0, format!("STATUS=e{}\nEXIT_STATUS=1\nERRNO=0", "é".repeat(511)));
}

#[test]
fn the_manager_hears_how_main_failed() {
    for detach in ["never", "always"] {
        for (command, why, status) in [
            ("return failed", "`main` returned exit status 1", 1),
            ("return-status 7", "`main` returned exit status 7", 7),
            ("panic oh", "`main` panicked", 101),
        ] {
            let stage = Stage::new();
            let manager = Manager::at(&stage);
            let _start = stage.start(&mut launcher(&stage, &["--detach", detach, "--ready"]));
            let mut daemon = stage.daemon();
            assert!(manager.hears().0.ends_with("READY=1"));
            daemon.send(command);
            if status != 101 {
                assert_eq!(manager.hears(), ("STOPPING=1".to_owned(), daemon.process));
            }
            let told = format!("STATUS={why}\nEXIT_STATUS={status}\nERRNO=0");
            assert_eq!(manager.hears(), (told, daemon.process), "{detach} {command}");
        }
    }
}

/// Nobody is told of a second start in a daemon that goes on.
#[test]
fn the_manager_does_not_hear_of_a_second_start() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let _start = stage.start(&mut launcher(&stage, &["--detach", "never", "--ready"]));
    let mut daemon = stage.daemon();
    assert_eq!(manager.hears().0, "READY=1");
    daemon.ask("run-again");
    manager.hears_nothing();
}

/// On a terminal, the variable is left over from whatever started the terminal.
#[test]
fn a_manager_of_somebody_else() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let terminal = Terminal::open();
    let mut command = stage.command("setsid");
    command.args(["--ctty", "--wait", PROBE, "--notify"]).env("NOTIFY_SOCKET", stage.path("notify"));
    let device = File::options().read(true).write(true).open(&terminal.path).expect("the terminal");
    let mut start = command.stdin(device).spawn().expect("start");
    let mut daemon = stage.daemon();
    assert_eq!(daemon.sight.get("detaches"), "true", "{:?}", daemon.sight);
    assert_eq!(daemon.ask("ready"), "");
    assert!(start.wait().expect("its end").success());
    manager.hears_nothing();
}

/// A stream on a terminal does not make it the terminal of the session.
#[test]
fn a_terminal_of_somebody_elses_is_no_person() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let terminal = Terminal::open();
    let device = File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(&terminal.path);
    let mut command = stage.command("setsid");
    command.args(["--wait", PROBE, "--notify"]).env("NOTIFY_SOCKET", stage.path("notify"));
    let _program = stage.start(command.stdin(device.expect("the terminal")));
    let mut daemon = stage.daemon();
    daemon.assert_stays("a service manager: NOTIFY_SOCKET is set, and it has no terminal");
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(manager.hears(), ("READY=1".to_owned(), daemon.process));
}

/// If the device that means the session's terminal is missing, a stream on a terminal counts instead.
#[test]
fn a_person_is_known_without_the_device_of_their_terminal() {
    needs_root!();
    let stage = Stage::new();
    let terminal = Terminal::open();
    let script = "mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3 && exec \"$@\"";
    let mut command = stage.command(ARRANGE);
    command.arg("--terminal").arg(&terminal.path);
    command.args(["--", "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", PROBE]);
    let _program = stage.start(command.env("NOTIFY_SOCKET", stage.path("notify")));
    let daemon = stage.daemon();
    assert_eq!(daemon.sight.get("detaches"), "true", "{:?}", daemon.sight);
}

#[test]
fn the_line_is_there_without_privileges_and_in_a_jail() {
    needs_root!();
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let jail = stage.path("jail");
    fs::create_dir(&jail).expect("create");
    let mut command = launcher(&stage, &["--connect", "--user", "nobody", "--chroot"]);
    let start = stage.start(command.arg(&jail));
    let mut daemon = stage.daemon();
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(manager.hears().0, "READY=1");
    daemon.send("return");
    assert_eq!(manager.hears().0, "STOPPING=1");
    assert_eq!(start.end().status, 0);
}

#[test]
fn a_manager_that_cannot_be_reached() {
    for detach in ["never", "always"] {
        let stage = Stage::new();
        let launch = stage.launch(&mut launcher(&stage, &["--pidfile", "pid", "--detach", detach]));
        let line = format!(
            "probe: cannot reach the service manager at {}, NOTIFY_SOCKET: No such file or directory (os error 2)\n",
            stage.path("notify").display()
        );
        assert_eq!((launch.status, launch.stderr), (1, line), "{detach}");
        assert!(stage.no_daemon_reported());
        assert!(stage.files().is_empty(), "{:?}", stage.files());
    }
}

#[test]
fn a_kind_of_address_that_nobody_writes() {
    for address in ["vsock:2:1234", "relative"] {
        let stage = Stage::new();
        let launch = stage.launch(launcher(&stage, &[]).env("NOTIFY_SOCKET", address));
        let line = format!(
            "probe: cannot reach the service manager at {address}, NOTIFY_SOCKET: it is neither an absolute path nor a \
             name after `@`\n"
        );
        assert_eq!((launch.status, launch.stderr), (1, line));
    }
}

/// Somebody else than systemd passes a socket, and has one as standard input.
#[test]
fn a_passed_socket_leaves_the_pidfile() {
    let stage = Stage::new();
    let (own, _peer) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let mut command = stage.command("sh");
    command.args(["-c", "LISTEN_PID=$$ exec \"$0\" --pidfile pid", PROBE]).stdin(std::os::fd::OwnedFd::from(own));
    let _start = stage.start(&mut command);
    let daemon = stage.daemon();
    assert_eq!(daemon.sight.get("detaches"), "false");
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
}

#[test]
fn a_manager_that_has_gone_meanwhile() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let start = stage.start(&mut launcher(&stage, &[]));
    let mut daemon = stage.daemon();
    manager.leaves();
    let error = daemon.ask("ready");
    assert!(error.starts_with("error: cannot tell the service manager of readiness: "), "{error}");
    daemon.send("return");
    assert_eq!(start.end().status, 0);

    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let start = stage.start(&mut launcher(&stage, &["--detach", "always"]));
    let mut daemon = stage.daemon();
    manager.leaves();
    assert_eq!(daemon.ask("ready"), "", "the launcher knows");
    let launch = start.end();
    let line = format!("probe: cannot tell the service manager that process {} is ready: ", daemon.process.0);
    assert!(launch.stderr.starts_with(&line), "{launch:?}");
    assert_eq!(launch.status, 0, "the daemon is ready");
    assert!(daemon.process.is_alive());
}

/// Variables that name the launcher name the daemon after a detach, and what the manager passed stays open.
#[test]
fn what_the_manager_passed_follows_the_daemon() {
    let stage = Stage::new();
    let script = "LISTEN_PID=$$ LISTEN_FDS=2 WATCHDOG_PID=$$ LISTEN_PIDFDID=17 exec \"$0\" --detach always \
        3</dev/null 4</dev/null 5</dev/null";
    let mut daemon = stage.started(stage.command("sh").args(["-c", script, PROBE]));
    let own = daemon.process.0.to_string();
    assert_eq!(daemon.sight.get("launched_by"), "socket activation: LISTEN_PID is its process id");
    for (variable, value) in [("LISTEN_PID", own.as_str()), ("WATCHDOG_PID", &own), ("LISTEN_FDS", "2")] {
        assert_eq!(daemon.ask(&format!("variable {variable}")), value, "{variable}");
    }
    let pidfd = daemon.ask("pidfd");
    assert_eq!(daemon.ask("variable LISTEN_PIDFDID"), pidfd);
    let open: Vec<_> = daemon.sight.descriptors().into_keys().filter(|&number| number < 6).collect();
    assert_eq!(open, [0, 1, 2, 3, 4], "{:?}", daemon.sight);
}

/// As with `systemfd --no-pid`, which starts the program through another one.
#[test]
fn descriptors_that_are_passed_to_whoever_comes_stay_open() {
    let stage = Stage::new();
    let script = "LISTEN_FDS=2 exec \"$0\" 3</dev/null 4</dev/null 5</dev/null";
    let daemon = stage.started(stage.command("sh").args(["-c", script, PROBE]).env_remove("LISTEN_PID"));
    assert_eq!(daemon.sight.get("launched_by"), "a shell or a program: nothing shows a service manager");
    let open: Vec<_> = daemon.sight.descriptors().into_keys().filter(|&number| number < 6).collect();
    assert_eq!(open, [0, 1, 2, 3, 4], "{:?}", daemon.sight);
}

/// If a variable names another process, it is meant for that one, and counts that one's descriptors.
#[test]
fn what_another_process_was_passed_is_left_alone() {
    let stage = Stage::new();
    let test = Pid::this().to_string();
    let script = "LISTEN_FDS=2 exec \"$0\" --detach always 3</dev/null 4</dev/null";
    let mut command = stage.command("sh");
    command.args(["-c", script, PROBE]).env("LISTEN_PID", &test).env("LISTEN_PIDFDID", "17").env("WATCHDOG_PID", &test);
    let mut daemon = stage.started(&mut command);
    assert_eq!(daemon.ask("variable LISTEN_PID"), test);
    assert_eq!(daemon.ask("variable LISTEN_PIDFDID"), "17");
    assert_eq!(daemon.ask("variable WATCHDOG_PID"), test);
    assert!(!daemon.sight.descriptors().contains_key(&3), "{:?}", daemon.sight);
}

/// Numbers that no manager writes do not count as numbers.
#[test]
fn variables_that_make_no_sense() {
    for (key, value) in [
        ("LISTEN_FDS", "-1"),
        ("LISTEN_FDS", "99999999999999999999"),
        ("LISTEN_FDS", "2147483647"),
        ("LISTEN_FDS", ""),
        ("LISTEN_PID", "+$$"),
        ("LISTEN_PID", ""),
        ("SYSTEMD_EXEC_PID", " $$"),
        ("NOTIFY_SOCKET", ""),
        ("PIDFILE", "relative"),
    ] {
        let stage = Stage::new();
        let script =
            format!("LISTEN_PID=$$; export LISTEN_PID; {key}=\"{value}\" exec \"$0\" --detach always --notify");
        let script =
            if key == "LISTEN_PID" { script.replacen("LISTEN_PID=$$; export LISTEN_PID; ", "", 1) } else { script };
        let start = stage.start(stage.command("sh").args(["-c", &script, PROBE]));
        let mut daemon = stage.daemon();
        if key != "LISTEN_FDS" {
            let seen = daemon.sight.get("launched_by");
            let expected = if key == "LISTEN_PID" { "a shell" } else { "socket activation" };
            assert!(seen.starts_with(expected), "{key}={value}: {seen}");
        }
        assert_eq!(daemon.ask("ready"), "");
        assert_eq!(start.end().status, 0, "{key}={value}");
    }
}

fn launcher(stage: &Stage, options: &[&str]) -> Command {
    let mut command = stage.command(PROBE);
    command.arg("--notify").args(options).env("NOTIFY_SOCKET", stage.path("notify"));
    command
}

/// systemd finds a sender no more once the wrapper has reaped it: the launcher stays until its message is read.
#[test]
fn below_a_wrapper_the_launcher_waits_until_the_manager_has_read() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let mut command = launcher(&stage, &["--detach", "always", "--ready"]);
    let launcher = stage.start(command.env_remove("SYSTEMD_EXEC_PID").env("INVOCATION_ID", "some"));
    assert!(manager.hears().0.ends_with("READY=1"));
    assert!(launcher.process.is_alive());
    let mut text = [0; 64];
    let length = manager.0.recv(&mut text).expect("a message"); // there is no room for its descriptor, which is closed
    assert_eq!(&text[..length], b"BARRIER=1");
    let _daemon = stage.daemon();
    assert_eq!(launcher.end().status, 0);
}

#[test]
fn the_manager_hears_of_a_late_step_that_fails_in_the_foreground() {
    let stage = Stage::new();
    let manager = Manager::at(&stage);
    let command = launcher(&stage, &["--detach", "never", "--pidfile", "pid"]);
    let mut shell = stage.command("sh");
    shell.args(["-c", "ulimit -f 0 && exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    assert_eq!(stage.launch(&mut shell).status, 1);
    let path = stage.path("pid").canonicalize().unwrap_or_else(|_| stage.path("pid"));
    let why = format!("cannot write the process id to {}: File too large (os error 27)", path.display());
    assert_eq!(manager.hears().0, format!("STATUS={why}\nEXIT_STATUS=1\nERRNO=27"));
}
