//! The pipe of a supervisor that waits for readiness.

use std::{fs::File, io::Read, os::fd::AsFd};

use nix::{
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd,
};
use support::Stage;

use crate::PROBE;

/// The supervisor gets a newline and the end of the pipe, because no other process holds the pipe, not even a child of
/// the program.
#[test]
fn a_supervisor_gets_a_newline_and_the_end_of_its_pipe() {
    for (options, detaches) in
        [("--foreground", false), ("--foreground --notify", false), ("", true), ("--notify", true)]
    {
        let stage = Stage::new();
        let (pipe, program) = unistd::pipe2(OFlag::O_CLOEXEC).expect("a pipe");
        let mut pipe = File::from(pipe);
        let mut command = stage.command("sh");
        command.args(["-c", &format!("exec 3>&0 0</dev/null; exec {PROBE} --ready-fd 3 {options}")]).stdin(program);
        let _start = stage.start(&mut command);
        drop(command);
        let mut daemon = stage.daemon();
        assert_eq!(daemon.sight.get("launcher") != daemon.sight.get("pid"), detaches);
        if options.contains("--notify") {
            let mut look = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
            assert_eq!(poll(&mut look, PollTimeout::ZERO), Ok(0), "{options}: too early");
            daemon.ask("spawn");
            assert_eq!(daemon.ask("ready"), "");
        }
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("read");
        assert_eq!(text, "\n", "{options}");
        // The number may be another file's by now.
        let third = daemon.look().descriptors().get(&3).is_some_and(|open| open.starts_with("pipe:"));
        assert!(!third, "{options}");
    }
}

/// If a script has something open with that number, no supervisor waits for it.
#[test]
fn what_is_no_pipe_to_write_to_is_left_alone() {
    let stage = Stage::new();
    for (redirection, open) in [("3>file", "/file"), ("3<file", "/file"), ("3>/dev/null", "/dev/null"), ("3>&-", "")] {
        let script = format!("exec {PROBE} --ready-fd 3 --foreground {redirection}");
        let _start = stage.start(stage.command("sh").args(["-c", &script]));
        let mut program = stage.daemon();
        assert!(program.look().descriptors()[&3].ends_with(open), "{redirection}");
        assert_eq!(stage.read("file"), "");
    }
    let script = format!("echo text | {{ exec 3<&0; exec {PROBE} --ready-fd 3 --foreground; }}");
    let _start = stage.start(stage.command("sh").args(["-c", &script]));
    let mut program = stage.daemon();
    assert!(program.look().descriptors()[&3].starts_with("pipe:"), "its other end");
}

/// Nobody waits, and SIGPIPE ends no process.
#[test]
fn a_supervisor_that_does_not_read() {
    let stage = Stage::new();
    let line = "probe: cannot report readiness on file descriptor 3: Broken pipe (os error 32)\n";
    let run = |options: &str| format!("mkfifo p; exec 4<>p 3>p 4<&-; rm p; exec {PROBE} --ready-fd 3 {options}");
    let launch = stage.launch(stage.command("sh").args(["-c", &run("--foreground --pidfile pid")]));
    assert_eq!((launch.status, launch.stderr.as_str()), (1, line));
    assert!(stage.no_daemon_reported());
    let launch = stage.launch(stage.command("sh").args(["-c", &run("")]));
    assert_eq!((launch.status, launch.stderr.as_str()), (0, line), "the daemon is ready");
    drop(stage.daemon());
    let start = stage.start(stage.command("sh").args(["-c", &run("--foreground --notify")]));
    let mut program = stage.daemon();
    assert_eq!(program.ask("ready"), "error: cannot report readiness on file descriptor 3: Broken pipe (os error 32)");
    program.send("return");
    assert_eq!(start.end().status, 0);
}

#[test]
fn a_pipe_that_is_full_is_not_waited_for() {
    let stage = Stage::new();
    let fill = "mkfifo p; exec 4<>p 3>p; dd if=/dev/zero of=p bs=65536 count=1 2>dd; rm p";
    let script = format!("{fill}; exec {PROBE} --ready-fd 3 --foreground");
    let launch = stage.launch(stage.command("sh").args(["-c", &script]));
    let line = "probe: cannot report readiness on file descriptor 3: Resource temporarily unavailable (os error 11)\n";
    assert_eq!((launch.status, launch.stderr.as_str()), (1, line));
}
