//! What a daemon says when nobody reads its errors goes to the system's log.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    iter,
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::{UnixDatagram, UnixListener},
    },
    process::{Command, Stdio},
    time::Instant,
};

use nix::sys::{
    signal::Signal,
    socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket},
    wait::WaitStatus,
};
use support::{DEADLINE, Daemon, Process, Stage, Syslog, Terminal, eventually, needs_root, skip};

use crate::PROBE;

fn probe(stage: &Stage) -> Command {
    let mut command = stage.command_beside_syslog(PROBE);
    command.arg("--connect");
    command
}

fn started(stage: &Stage, options: &[&str]) -> Daemon {
    stage.started(probe(stage).args(options))
}

/// Sends a command that the daemon does not survive, and waits for its exit status.
fn end(daemon: &mut Daemon, command: &str) -> i32 {
    daemon.send(command);
    match daemon.wait() {
        WaitStatus::Exited(_, status) => status,
        other => panic!("{other:?}"),
    }
}

/// The line of a panic, without the place in the source.
fn without_place(line: &str) -> String {
    let (before, rest) = line.split_once(" panicked at ").expect(line);
    let (place, text) = rest.split_once(": ").expect(line);
    assert!(place.starts_with("tests/programs/probe.rs:") || place.starts_with("programs/probe.rs:"), "{line}");
    format!("{before} panicked: {text}")
}

#[test]
fn a_panic_is_told_once() {
    needs_root!();
    for options in [
        [].as_slice(),
        &["--stderr", "nothing", "--stdout", "out"],
        &["--stdout", "/dev/null"],
        &["--pidfile", "pid", "--user", "nobody"],
    ] {
        let stage = Stage::new();
        let log = Syslog::new(&stage);
        let mut daemon = started(&stage, options);
        assert_eq!(end(&mut daemon, "panic no luck"), 101);
        let lines: Vec<_> = log.lines().iter().map(|line| without_place(line)).collect();
        assert_eq!(lines, [format!("<27>probe[{}]: thread 'main' panicked: no luck", daemon.process.0)], "{options:?}");
        assert_eq!(stage.read("out"), "");
    }
}

#[test]
fn the_error_of_main_is_told_once() {
    needs_root!();
    for (command, text) in [
        ("return no luck", r#"Error: "no luck""#),
        ("return-causes", r"Error: no luck Caused by: 0: bad mood 1: \u{1b}[31mred"),
    ] {
        let stage = Stage::new();
        let log = Syslog::new(&stage);
        let mut daemon = started(&stage, &["--name", "clockd"]);
        assert_eq!(end(&mut daemon, command), 1);
        assert_eq!(log.lines(), [format!("<27>clockd[{}]: {text}", daemon.process.0)]);
    }
}

#[test]
fn nothing_is_told_where_there_is_nothing_to_tell_or_somebody_reads_it() {
    needs_root!();
    for (options, command, status) in [
        ([].as_slice(), "return", 0),
        (&[], "return-status 3", 3),
        (&[], "exit 1", 1),
        (&["--stdout", "log"], "panic no luck", 101),
        (&["--stderr", "log"], "panic no luck", 101),
        (&["--stderr", "log"], "return no luck", 1),
        (&["--stderr", "file:log"], "return no luck", 1),
    ] {
        let stage = Stage::new();
        let log = Syslog::new(&stage);
        let mut daemon = started(&stage, options);
        assert_eq!(end(&mut daemon, command), status);
        assert_eq!(log.lines(), [""; 0], "{options:?} {command}");
        assert_eq!(stage.read("log").contains("no luck"), command.contains("no luck"));
    }
    // If the program itself throws its words away, they are not meant to be read.
    let stage = Stage::new();
    let log = Syslog::new(&stage);
    let mut daemon = started(&stage, &["--stderr", "log"]);
    assert_eq!(daemon.ask("replace-stderr /dev/null"), "");
    assert_eq!(end(&mut daemon, "panic no luck"), 101);
    assert_eq!((log.lines(), stage.read("log")), (vec![], String::new()));
}

/// A daemon whose standard error is that, and then takes no more.
fn with_refusing_stream(stage: &Stage, way: &str) -> Daemon {
    let mut command = probe(stage);
    match way {
        "/dev/full" => stage.started(command.args(["--stdout", "/dev/full"])),
        "full disk" => {
            let mut daemon = with_log_on_small_disk(stage);
            let error = eventually("a full disk", || {
                Some(daemon.ask(&format!("output {}", "a line ".repeat(100)))).filter(|said| !said.is_empty())
            });
            assert_eq!(error, "error: ENOSPC: No space left on device");
            daemon
        }
        "terminal" => {
            let terminal = Terminal::open();
            let end = File::options().write(true).open(&terminal.path).expect("open the terminal");
            command.args(["--stdout", "inherited"]).stdout(end.try_clone().expect("a copy")).stderr(end);
            assert!(command.status().expect("start").success());
            stage.daemon()
        }
        "pipe" => {
            let (_reader, writer) = std::io::pipe().expect("a pipe");
            command.args(["--stdout", "inherited"]).stdout(writer.try_clone().expect("a copy")).stderr(writer);
            assert!(command.status().expect("start").success());
            stage.daemon()
        }
        "closed" => {
            let mut daemon = stage.started(command.args(["--stdout", "log"]));
            assert_eq!(daemon.ask("close 2"), "");
            daemon
        }
        other => panic!("{other}"),
    }
}

fn with_log_on_small_disk(stage: &Stage) -> Daemon {
    stage.create_directory("small");
    let script = "mount -t tmpfs -o size=64k tmpfs small && exec \"$0\" --connect --stdout small/log";
    stage.started(stage.command_beside_syslog("sh").args(["-c", script, PROBE]))
}

#[test]
fn a_stream_that_takes_no_more() {
    needs_root!();
    for way in ["/dev/full", "full disk", "terminal", "pipe", "closed"] {
        for (command, status, text) in [
            ("panic no luck", 101, "thread 'main' panicked: no luck"),
            ("return no luck", 1, "Error: \"no luck\""),
            ("return", 0, ""),
        ] {
            let stage = Stage::new();
            let log = Syslog::new(&stage);
            let mut daemon = with_refusing_stream(&stage, way);
            assert_eq!(end(&mut daemon, command), status, "{way}");
            let lines = log.lines();
            let lines: Vec<_> =
                lines.iter().map(|line| if status == 101 { without_place(line) } else { line.clone() }).collect();
            let told = format!("<27>probe[{}]: {text}", daemon.process.0);
            assert_eq!(lines, if text.is_empty() { vec![] } else { vec![told] }, "{way}");
        }
        if way == "closed" {
            continue; // stdout is not
        }
        // The panic in println! has last words, too.
        let stage = Stage::new();
        let log = Syslog::new(&stage);
        let mut daemon = with_refusing_stream(&stage, way);
        assert_eq!(
            end(&mut daemon, "stdout a line that is longer than what is left of the disk".repeat(20).as_str()),
            101
        );
        let [line] = log.lines().try_into().unwrap_or_else(|lines| panic!("{lines:?} {way}"));
        assert!(
            line.contains("thread 'main' panicked at ") && line.contains(": failed printing to stdout: "),
            "{line}"
        );
    }
}

#[test]
fn a_disk_that_is_nearly_full_has_a_reader() {
    needs_root!();
    for (command, status) in [("panic no luck", 101), ("return no luck", 1), ("return-causes", 1)] {
        let stage = Stage::new();
        let log = Syslog::new(&stage);
        let mut daemon = with_log_on_small_disk(&stage);
        let file = File::open(format!("/proc/{}/fd/1", daemon.process.0)).expect("the log");
        assert_eq!(end(&mut daemon, command), status);
        assert_eq!(log.lines(), [""; 0]);
        assert_eq!(std::io::read_to_string(file).expect("read").matches("no luck").count(), 1);
    }
}

#[test]
fn until_it_is_ready_the_launcher_reads_it() {
    needs_root!();
    for command in ["panic no luck", "return no luck"] {
        let stage = Stage::new();
        let log = Syslog::new(&stage);
        let launcher = stage.start(probe(&stage).arg("--notify"));
        let mut daemon = stage.daemon();
        daemon.send(command);
        assert!(launcher.end().stderr.contains("no luck"));
        assert_eq!(log.lines(), [""; 0]);

        let launcher = stage.start(probe(&stage).arg("--notify"));
        let mut daemon = stage.daemon();
        assert_eq!(daemon.ask("ready"), "");
        assert_eq!(launcher.end().status, 0);
        end(&mut daemon, command);
        assert_eq!(log.lines().len(), 1);
    }
}

#[test]
fn a_stream_that_the_program_opened_is_read_by_somebody() {
    needs_root!();
    for command in ["panic no luck", "return no luck"] {
        let stage = Stage::new();
        let log = Syslog::new(&stage);
        let mut daemon = started(&stage, &[]);
        assert_eq!(daemon.ask(&format!("replace-stderr {}", stage.path("own").display())), "");
        end(&mut daemon, command);
        assert_eq!(log.lines(), [""; 0]);
        assert!(stage.read("own").contains("no luck"));
    }
}

#[test]
fn another_device_is_not_the_null_device() {
    needs_root!();
    let stage = Stage::new();
    let log = Syslog::new(&stage);
    let mut daemon = started(&stage, &["--stderr", "/dev/zero"]);
    assert_eq!(end(&mut daemon, "panic no luck"), 101);
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn in_the_foreground_the_stream_is_somebody_elses() {
    needs_root!();
    let stage = Stage::new();
    let log = Syslog::new(&stage);
    let mut child = probe(&stage).arg("--foreground").stderr(Stdio::null()).spawn().expect("start");
    let mut program = stage.daemon();
    program.send("panic no luck");
    assert_eq!(eventually("its end", || child.try_wait().expect("wait")).code(), Some(101));
    assert_eq!(log.lines(), [""; 0]);
}

/// The file that stands in for the null device has a size. The null device itself has none.
#[test]
fn a_limit_to_the_size_of_files_does_not_end_it() {
    let stage = Stage::new();
    let mut daemon = stage.started(stage.command("sh").args(["-c", "ulimit -f 0; exec \"$0\"", PROBE]));
    daemon.send("return failed");
    assert!(matches!(daemon.wait(), WaitStatus::Exited(_, 1)));
}

#[test]
fn a_thread_that_panics_is_told_and_the_daemon_goes_on() {
    needs_root!();
    let stage = Stage::new();
    let log = Syslog::new(&stage);
    let mut daemon = started(&stage, &[]);
    assert_eq!(daemon.ask("panic-in-threads 2"), "");
    let lines: Vec<_> = log.lines().iter().map(|line| without_place(line)).collect();
    let line = |number| format!("<27>probe[{}]: thread 'worker' panicked: number {number}", daemon.process.0);
    assert_eq!(lines, [line(0), line(1)]);

    // Of many at once, the first are told; later ones again. More than some do not fit into the socket's queue.
    let begun = Instant::now();
    let told: usize = (0..60)
        .map(|_| {
            daemon.ask("panic-in-threads 5");
            log.lines().len()
        })
        .sum();
    let seconds = usize::try_from(begun.elapsed().as_secs()).expect("a few");
    assert!((8..=10 * (seconds + 2)).contains(&told), "{told} in {:?}", begun.elapsed());
    eventually("a line", || {
        daemon.ask("panic-in-threads 1");
        log.lines().pop()
    });
}

#[test]
fn a_long_text_is_one_line_that_is_cut_off() {
    needs_root!();
    let stage = Stage::new();
    let log = Syslog::new(&stage);
    let mut daemon = started(&stage, &[]);
    end(&mut daemon, &format!("panic one\\n  two\\n\u{7}{}", "\u{f6}".repeat(1000)));
    let [line] = log.lines().try_into().expect("one line");
    assert!(line.contains(": one two \\u{7}\u{f6}"), "{line}");
    assert!((1023..=1024).contains(&line.len()), "{}", line.len());
}

/// The program's own, which was there before.
#[test]
fn the_hook_that_was_there_is_called() {
    needs_root!();
    let stage = Stage::new();
    let log = Syslog::new(&stage);
    let mut daemon = started(&stage, &["--panic-hook", "hook"]);
    end(&mut daemon, "panic no luck");
    assert_eq!(log.lines().len(), 1);
    assert!(stage.read("hook").contains("no luck"));
}

#[test]
fn where_nobody_listens_it_is_lost() {
    needs_root!();
    for closed in [false, true] {
        for (command, status) in [("panic no luck", 101), ("return no luck", 1)] {
            let stage = Stage::new();
            if closed {
                drop(Syslog::new(&stage));
            }
            let mut daemon = started(&stage, &[]);
            assert_eq!(end(&mut daemon, command), status);
        }
    }
}

#[test]
fn it_waits_for_nobody() {
    needs_root!();
    // A log daemon that does not read: its queue is full.
    let stage = Stage::new();
    let log = Syslog::new(&stage);
    let other = UnixDatagram::unbound().expect("a socket");
    other.set_nonblocking(true).expect("do not wait");
    while other.send_to(b"noise", stage.path("log.socket")).is_ok() {}
    let mut daemon = started(&stage, &[]);
    assert_eq!(end(&mut daemon, "panic no luck"), 101);
    assert!(log.lines().iter().all(|line| line == "noise"));

    // A log daemon for streams that accepts no connection.
    let stage = Stage::new();
    stage.open_to_all();
    let address = UnixAddr::new(&stage.path("log.socket")).expect("an address");
    let log = stream_socket();
    bind(log.as_raw_fd(), &address).and_then(|()| listen(&log, Backlog::new(0)?)).expect("listen");
    let waiting: Vec<_> =
        iter::repeat_with(stream_socket).take_while(|socket| connect(socket.as_raw_fd(), &address).is_ok()).collect();
    assert!(waiting.len() < 100, "the queue is not full");
    let mut daemon = started(&stage, &[]);
    assert_eq!(end(&mut daemon, "panic no luck"), 101);
}

fn stream_socket() -> OwnedFd {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    socket(AddressFamily::Unix, SockType::Stream, flags, None).expect("a socket")
}

/// As older log daemons listen: lines end with a NUL byte.
#[test]
fn it_is_told_by_a_stream_as_well() {
    needs_root!();
    let stage = Stage::new();
    let log = UnixListener::bind(stage.path("log.socket")).expect("bind");
    let mut daemon = started(&stage, &[]);
    assert_eq!(end(&mut daemon, "return no luck"), 1);
    log.set_nonblocking(true).expect("do not wait");
    let mut text = String::new();
    log.accept().expect("a connection").0.read_to_string(&mut text).expect("a line");
    assert_eq!(text, format!("<27>probe[{}]: Error: \"no luck\"\0", daemon.process.0));
}

#[test]
fn in_a_jail_it_takes_a_socket_there() {
    needs_root!();
    for inside in [false, true] {
        let stage = Stage::new();
        fs::create_dir_all(stage.path("jail/dev")).expect("create a directory");
        let log = Syslog::at(&stage, if inside { "jail/dev/log" } else { "log.socket" });
        let mut daemon = started(&stage, &["--chroot", "jail"]);
        assert_eq!(end(&mut daemon, "panic no luck"), 101);
        assert_eq!(log.lines().len(), usize::from(inside));

        let mut daemon = stage.started(probe(&stage).args(["--chroot", "jail"]));
        assert_eq!(end(&mut daemon, "return no luck"), 1);
        let expected = format!("<27>probe[{}]: Error: \"no luck\"", daemon.process.0);
        assert_eq!(log.lines(), if inside { vec![expected] } else { vec![] });
    }
}

/// The peer of a connection has no use for the error.
#[test]
fn under_inetd_the_error_of_a_start_goes_there() {
    needs_root!();
    let stage = Stage::new();
    let log = Syslog::new(&stage);
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let mut peer = TcpStream::connect(listener.local_addr().expect("an address")).expect("connect");
    let [input, output, errors] = {
        let connection = OwnedFd::from(listener.accept().expect("a connection").0);
        [connection.try_clone(), connection.try_clone(), Ok(connection)].map(|copy| Stdio::from(copy.expect("a copy")))
    };
    let mut command = probe(&stage);
    command.args(["--umask", "1000"]).stdin(input).stdout(output).stderr(errors);
    let mut child = command.spawn().expect("start");
    let pid = child.id();
    drop(command); // which holds the connection
    assert_eq!(eventually("its end", || child.try_wait().expect("wait")).code(), Some(1));
    assert_eq!(log.lines(), [format!("<27>probe[{pid}]: `umask` must be between 0o000 and 0o777, found 0o1000")]);
    let mut said = String::new();
    peer.set_read_timeout(Some(DEADLINE)).and_then(|()| peer.read_to_string(&mut said)).expect("the end");
    assert_eq!(said, "");
}

/// rsyslogd, the real program.
#[test]
fn a_log_daemon_takes_it() {
    needs_root!();
    let stage = Stage::new();
    stage.open_to_all();
    let socket = stage.path("log.socket");
    let rules = format!(
        "global(workDirectory=\"{directory}\")\n\
         module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
         input(type=\"imuxsock\" Socket=\"{socket}\")\n\
         template(name=\"fields\" type=\"string\" string=\"%syslogfacility-text%.%syslogseverity-text% %syslogtag%|%msg%\\n\")\n\
         action(type=\"omfile\" file=\"{directory}/syslog\" template=\"fields\")\n",
        directory = stage.directory().display(),
        socket = socket.display()
    );
    fs::write(stage.path("rules"), rules).expect("write");
    let mut rsyslogd = stage.command("rsyslogd");
    rsyslogd.args(["-n", "-i", "none", "-f"]).arg(stage.path("rules"));
    let mut rsyslogd = match rsyslogd.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => return skip("rsyslogd"),
        started => started.expect("start rsyslogd"),
    };
    eventually("its socket", || socket.exists().then_some(()));
    let mut first = started(&stage, &[]);
    end(&mut first, "panic no luck");
    let mut second = stage.started(&mut probe(&stage));
    end(&mut second, "return no luck either");
    let text =
        eventually("two lines", || Some(stage.read("syslog")).filter(|text| text.matches("no luck").count() == 2));
    Process(i32::try_from(rsyslogd.id()).expect("a process id")).signal(Signal::SIGTERM);
    rsyslogd.wait().expect("its end");

    let lines: Vec<_> = stage.read("syslog").lines().filter(|line| line.contains("probe")).map(str::to_owned).collect();
    let [panic, error] = lines.try_into().expect(&text);
    let tag = |daemon: &Daemon| format!("daemon.err probe[{}]:| ", daemon.process.0);
    assert!(panic.starts_with(&format!("{}thread 'main' panicked at ", tag(&first))), "{panic}");
    assert_eq!(error, format!("{}Error: \"no luck either\"", tag(&second)));
}
