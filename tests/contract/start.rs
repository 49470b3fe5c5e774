//! `Daemon::start`: the middle of a function, from which on the program is a daemon.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    os::unix::{fs::OpenOptionsExt, net::UnixDatagram},
};

use nix::{libc::O_NONBLOCK, sys::stat::Mode, unistd::mkfifo};
use support::{DEADLINE, Libc, Process, Stage, Syslog, needs_root};

use crate::{ARRANGE, CLIENT, PROBE};

#[test]
fn what_comes_after_it_is_a_daemon() {
    let stage = Stage::new();
    let daemon = stage.started(stage.command(CLIENT).arg("start"));
    let sight = &daemon.sight;
    assert!(![daemon.process.0, Process::own().session()].contains(&sight.number("session")), "{sight:?}");
    assert_eq!((sight.get("directory"), sight.get("terminal")), ("/", "none"));
    assert_eq!(stage.files(), [""; 0], "a guard of the launcher ran");
}

/// Guards, thread-locals, exit handlers and buffered output: the launcher leaves by `_exit`, and so does the leader.
#[test]
fn what_is_the_programs_happens_once_in_the_daemon() {
    let stage = Stage::new();
    let launcher = stage.start(stage.command(CLIENT).args(["start-traced", "--notify", "--stdout", "log"]));
    let mut daemon = stage.daemon();
    daemon.ask("ready");
    let launch = launcher.end();
    assert_eq!((launch.status, launch.stdout.as_str(), stage.read("trace")), (0, "from Rust, from C, ", String::new()));
    daemon.send("return");
    daemon.wait();
    let id = daemon.process.0;
    let mut traces: Vec<_> = stage.read("trace").lines().map(str::to_owned).collect();
    traces.sort();
    let guard = format!("guard {id}");
    let mut expected = vec![format!("exit handler {id}"), guard.clone(), guard];
    expected.extend(Libc::of(CLIENT).drops_thread_locals_of_main().then(|| format!("thread-local {id}")));
    assert_eq!(traces, expected);
    assert_eq!(stage.read("log"), "");
}

#[test]
fn the_launcher_waits_for_the_word_and_prints_it() {
    let stage = Stage::new();
    let launcher = stage.start(stage.command(CLIENT).args(["start", "--notify"]));
    let mut daemon = stage.daemon();
    daemon.ask("ready-with listening on \u{1b}[31m7\\nand so on");
    let launch = launcher.end();
    let line = "listening on \\u{1b}[31m7\\nand so on\n";
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (0, line, ""));
}

#[test]
fn by_run_it_does_so_too() {
    let stage = Stage::new();
    let launcher = stage.start(stage.command(PROBE).arg("--notify"));
    let mut daemon = stage.daemon();
    daemon.ask("ready-with listening");
    daemon.ask("ready-with again");
    assert_eq!(launcher.end().stdout, "listening\n");
}

/// A standard output that takes nothing is no reason to fail a start.
#[test]
fn a_word_that_nobody_reads_fails_no_start() {
    let stage = Stage::new();
    let mut command = stage.command(ARRANGE);
    let launcher = stage.start(command.args(["--fd", "1=/dev/full", "--", PROBE, "--notify"]));
    let mut daemon = stage.daemon();
    daemon.ask("ready-with listening");
    assert_eq!(launcher.end().status, 0);
}

#[test]
fn a_long_word_has_a_limit() {
    let stage = Stage::new();
    let launcher = stage.start(stage.command(PROBE).arg("--notify"));
    let mut daemon = stage.daemon();
    daemon.ask(&format!("ready-with {}", "x".repeat(100 << 10)));
    let stdout = launcher.end().stdout;
    let (word, cut) = stdout.split_at(stdout.rfind('x').map_or(0, |last| last + 1));
    assert_eq!((word.len(), cut), ((64 << 10) - 4, " (cut off after 64 KiB)\n"));
}

#[test]
fn in_the_foreground_the_program_prints_it() {
    for program in [&[PROBE][..], &[CLIENT, "start"], &[PROBE, "--notify"], &[CLIENT, "start", "--notify"]] {
        let stage = Stage::new();
        let mut command = stage.command(program[0]);
        let launcher = stage.start(command.args(&program[1..]).arg("--foreground"));
        let mut daemon = stage.daemon();
        daemon.ask("ready-with listening");
        daemon.ask("ready-with again");
        daemon.send("return");
        assert_eq!(launcher.end().stdout, "listening\n", "{program:?}");
    }
}

/// The launcher has left: it does not wait.
#[test]
fn without_notify_the_daemon_prints_it() {
    for options in [&[][..], &["--pidfile", "pid"]] {
        let stage = Stage::new();
        let launcher = stage.start(stage.command(PROBE).args(["--stdout", "log"]).args(options));
        let mut daemon = stage.daemon();
        assert_eq!(launcher.end().stdout, "");
        daemon.ask("ready-with listening on \u{1b}[31m7");
        daemon.ask("ready-with again");
        assert_eq!(stage.read("log"), "listening on \\u{1b}[31m7\n");
    }
}

/// The program says what it wants to, and decides how to exit.
#[test]
fn an_error_is_returned_and_not_printed() {
    let stage = Stage::new();
    let launch = stage.launch(stage.command(CLIENT).args(["start", "--pidfile", "missing/pid"]));
    let directory = stage.directory().canonicalize().expect("a path");
    let line = format!("error=cannot lock {0}/missing/pid: there is no directory {0}/missing", directory.display());
    assert_eq!((launch.status, launch.stderr.as_str()), (1, ""));
    assert_eq!(launch.stdout.lines().next(), Some(line.as_str()));
    assert!(stage.no_daemon_reported());
}

#[test]
fn a_failed_daemon_is_an_error_with_its_status_and_words() {
    let stage = Stage::new();
    let launcher = stage.start(stage.command(CLIENT).args(["start", "--notify", "--stderr", "log"]));
    let mut daemon = stage.daemon();
    daemon.ask("stderr what it printed");
    daemon.send("exit 78");
    let launch = launcher.end();
    assert_eq!((launch.status, launch.stderr.as_str()), (78, ""));
    let told: Vec<_> = launch.stdout.lines().take(4).collect();
    let line = "error=the daemon ended before it was ready: exit status: 78";
    assert_eq!(told, [line, "status=78", "running=none", "stderr=what it printed\\n"]);
    assert_eq!(
        stage.read("trace"),
        format!("guard {}\n", launch.stdout.lines().find_map(|line| line.strip_prefix("pid=")).expect("a number"))
    );
    assert_eq!(stage.processes(), [], "left behind");
}

/// The program may show it elsewhere.
#[test]
fn what_a_daemon_wrote_to_an_inherited_null_device_comes_with_the_error() {
    let stage = Stage::new();
    let mut command = stage.command(ARRANGE);
    let launcher =
        stage.start(command.args(["--fd", "2=/dev/null", "--", CLIENT, "start", "--notify", "--stderr", "inherited"]));
    let mut daemon = stage.daemon();
    daemon.ask("stderr what it printed");
    daemon.send("exit 3");
    let stdout = launcher.end().stdout;
    assert!(stdout.contains("\nstderr=what it printed\\n\n"), "{stdout}");
}

#[test]
fn a_program_that_exits_by_its_error_does_so_as_run_does() {
    let stage = Stage::new();
    let options = ["--name", "named", "--notify", "--stderr", "log"];
    let [by_exit, by_run] = [&[CLIENT, "exit"][..], &[PROBE]].map(|program| {
        let launcher = stage.start(stage.command(program[0]).args(&program[1..]).args(options));
        let mut daemon = stage.daemon();
        daemon.ask("stderr what it printed");
        daemon.send("exit 78");
        let launch = launcher.end();
        (launch.status, launch.stdout, launch.stderr)
    });
    assert_eq!(by_exit, by_run);
    let line = "named: the daemon ended before it was ready: exit status: 78";
    assert_eq!(by_exit, (78, String::new(), format!("what it printed\n{line}\n")));
}

/// The program may go on.
#[test]
fn a_failed_start_leaves_the_launcher_as_it_was() {
    for options in [&[][..], &["--ignore", "SIGINT"], &["--block-all"]] {
        let sights = ["--pidfile missing/pid", "--notify --start-timeout 100"].map(|start| {
            let stage = Stage::new();
            let mut command = stage.command(ARRANGE);
            command.args(options).args(["--default", "SIGTERM", "--", CLIENT, "start", "--handle-signal", "SIGTERM"]);
            let launch = stage.launch(command.args(start.split(' ')));
            let seen = |line: &&str| {
                ["SigBlk", "SigIgn", "SigCgt", "children", "adopts", "directory"]
                    .iter()
                    .any(|key| line.starts_with(key))
            };
            launch
                .stdout
                .lines()
                .filter(seen)
                .map(str::to_owned)
                .collect::<Vec<_>>()
                .join("\n")
                .replace(&stage.directory().display().to_string(), "STAGE")
        });
        assert!(sights[0].contains("adopts=false") && sights[0].contains("children=\n"), "{sights:?}");
        assert_eq!(sights[0], sights[1], "{options:?}");
    }
}

/// Nobody else reaps what SIGKILL ended.
#[test]
fn a_failed_start_leaves_no_zombie() {
    let stage = Stage::new();
    let launcher = stage.start(stage.command(CLIENT).args(["start", "--notify", "--block-signal", "SIGTERM"]));
    let mut daemon = stage.daemon();
    daemon.ask("fork");
    daemon.send("exit 3");
    let stdout = launcher.end().stdout;
    assert!(stdout.contains("\nstatus=3\n") && stdout.contains("\nchildren=\n"), "{stdout}");
}

/// The word is printed to a pipe that is full.
#[test]
fn a_word_that_nobody_reads_keeps_nothing_from_its_end() {
    let stage = Stage::new();
    let manager = Manager::listen(&stage);
    mkfifo(&stage.path("fifo"), Mode::S_IRWXU).expect("a fifo");
    let mut fifo = File::options().read(true).write(true).custom_flags(O_NONBLOCK).open(stage.path("fifo"));
    let full = fifo.as_mut().expect("open").write_all(&vec![0; 1 << 20]).expect_err("full");
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    let mut command = stage.command(ARRANGE);
    command
        .args(["--fd", "1=fifo", "--", PROBE, "--notify", "--foreground"])
        .env("NOTIFY_SOCKET", stage.path("notify"));
    let launcher = stage.start(&mut command);
    let mut program = stage.daemon();
    program.ask("begin-ready-with listening");
    assert_eq!(manager.hear(), "READY=1\nSTATUS=listening");
    program.send("return-status 3");
    assert_eq!(launcher.end().status, 3);
}

#[test]
fn another_instance_is_known_by_its_number() {
    let stage = Stage::new();
    let first = stage.started(stage.command(CLIENT).args(["start", "--pidfile", "pid"]));
    let launch = stage.launch(stage.command(CLIENT).args(["start", "--pidfile", "pid"]));
    assert!(launch.stdout.contains(&format!("\nrunning={}\n", first.process.0)), "{launch:?}");
}

#[test]
fn a_second_start_is_an_error() {
    let stage = Stage::new();
    let mut daemon = stage.started(stage.command(CLIENT).arg("start"));
    let error = "Err(cannot start a second daemon in one process)";
    assert_eq!(daemon.ask("start-again"), error);
    assert_eq!(daemon.ask("spawn-again"), error);
}

#[test]
fn setup_chooses_the_exit_status() {
    let stage = Stage::new();
    for (chosen, status) in [("78", 78), ("0", 1)] {
        let launch = stage.launch(stage.command(PROBE).args(["--exit-status", chosen, "--fail", "no luck"]));
        assert_eq!((launch.status, launch.stderr.as_str()), (status, "probe: no luck: the cause\n"));
    }
}

#[test]
fn a_manager_hears_the_status_that_setup_chose() {
    let stage = Stage::new();
    let manager = Manager::listen(&stage);
    let mut command = stage.command(PROBE);
    let command = command.env("NOTIFY_SOCKET", stage.path("notify")).args(["--notify", "--exit-status", "78"]);
    assert_eq!(stage.launch(command.args(["--fail", "no luck"])).status, 78);
    assert_eq!(manager.hear(), "STATUS=no luck: the cause\nEXIT_STATUS=78\nERRNO=0");
}

/// Nothing tells the library of the end but the exit of the process.
#[test]
fn a_manager_hears_of_the_end() {
    for ending in ["return", "exit 3", "panic no luck"] {
        for way in ["--foreground", "--detach=always"] {
            let stage = Stage::new();
            let manager = Manager::listen(&stage);
            let mut command = stage.command(CLIENT);
            command.args(["start", "--notify"]).args(way.split('=')).env("NOTIFY_SOCKET", stage.path("notify"));
            let launcher = stage.start(&mut command);
            let mut daemon = stage.daemon();
            daemon.ask("ready-with serving");
            daemon.ask("fork-and-exit");
            daemon.send(ending);
            let heard = [manager.hear(), manager.hear()];
            let ready = match way {
                "--foreground" => "READY=1\nSTATUS=serving".to_owned(),
                _ => format!("MAINPID={}\nREADY=1\nSTATUS=serving", daemon.process.0),
            };
            assert_eq!(heard, [ready, "STOPPING=1".into()], "{ending} {way}");
            drop(launcher);
        }
    }
}

/// The last words of a panic do, but not the error that the program's own `main` returns: the library does not see it.
#[test]
fn the_last_words_of_a_panic_go_to_the_systems_log() {
    needs_root!();
    let stage = Stage::new();
    let log = Syslog::new(&stage);
    let mut daemon = stage.started(stage.command_beside_syslog(CLIENT).args(["start", "--connect"]));
    daemon.send("panic no luck");
    daemon.wait();
    let lines = log.lines();
    assert!(lines.len() == 1 && lines[0].contains("thread 'main'") && lines[0].ends_with("no luck"), "{lines:?}");
}

/// At the other end of `NOTIFY_SOCKET`.
struct Manager(UnixDatagram);

impl Manager {
    fn listen(stage: &Stage) -> Self {
        let socket = UnixDatagram::bind(stage.path("notify")).expect("a socket");
        socket.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        Self(socket)
    }

    /// The next message.
    fn hear(&self) -> String {
        let mut buffer = [0; 4096];
        let read = self.0.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    }
}
