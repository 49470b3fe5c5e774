//! Logs that are opened anew, by SIGHUP and by a call.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt, symlink},
    process::Command,
};

use nix::{
    libc,
    sys::{signal::Signal, stat::Mode, wait::WaitStatus},
    unistd::mkfifo,
};
use support::{Daemon, Process, Stage, eventually, needs_root};

use super::{NOBODY, directory, set_mode};
use crate::PROBE;

mod failing;
mod handler;
mod pin;
mod refused;
mod rotation;

fn probe(stage: &Stage) -> Command {
    let mut command = stage.command(PROBE);
    command.arg("--reopen-logs");
    command
}

/// A daemon that reopens its logs, started with these options.
fn daemon(stage: &Stage, options: &[&str]) -> Daemon {
    stage.started(probe(stage).args(options))
}

/// A stage that others may enter.
fn open_stage() -> Stage {
    let stage = Stage::new();
    stage.open_to_all();
    stage
}

fn rename(stage: &Stage, from: &str, to: &str) {
    fs::rename(stage.path(from), stage.path(to)).expect("rename");
}

/// Sends SIGHUP, and waits until it has been handled: the probe says so, which listens for it as well, and comes
/// second.
fn hang_up(daemon: &mut Daemon) {
    let before: u32 = daemon.ask("heard").parse().expect("a number");
    daemon.process.signal(Signal::SIGHUP);
    eventually("the signal", || (daemon.ask("heard") == (before + 1).to_string()).then_some(()));
}

/// As [`daemon`], for [`hang_up`].
fn listening(stage: &Stage, options: &[&str]) -> Daemon {
    let mut daemon = daemon(stage, options);
    assert_eq!(daemon.ask("listen signal-hook"), "");
    daemon
}

#[test]
fn a_hang_up_opens_the_log_anew() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stdout", "log"]);
    daemon.ask("stdout one");
    rename(&stage, "log", "log.1");
    daemon.ask("stderr two");
    hang_up(&mut daemon);
    daemon.ask("stdout three");
    daemon.ask("stderr four");
    assert_eq!((stage.read("log.1"), stage.read("log")), ("one\ntwo\n".into(), "three\nfour\n".into()));
}

#[test]
fn a_call_opens_the_log_anew() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "out", "--stderr", "err"]);
    for log in ["out", "err"] {
        rename(&stage, log, &format!("{log}.1"));
    }
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    assert_eq!(daemon.ask("reopen"), "");
    daemon.ask("stdout three");
    daemon.ask("stderr four");
    assert_eq!((stage.read("out.1"), stage.read("err.1")), ("one\n".into(), "two\n".into()));
    assert_eq!((stage.read("out"), stage.read("err")), ("three\n".into(), "four\n".into()));
}

#[test]
fn a_hang_up_without_a_rotation_changes_nothing() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stdout", "truncate:log"]);
    daemon.ask("stdout one");
    hang_up(&mut daemon);
    daemon.ask("stdout two");
    assert_eq!((stage.read("log"), stage.files()), ("one\ntwo\n".into(), vec!["log".into()]));
}

#[test]
fn a_truncated_log_is_not_truncated_again() {
    let stage = Stage::new();
    fs::write(stage.path("log"), "before\n").expect("write");
    let mut daemon = daemon(&stage, &["--stdout", "truncate:log"]);
    rename(&stage, "log", "log.1");
    fs::write(stage.path("log"), "by somebody else\n").expect("write");
    assert_eq!(daemon.ask("reopen"), "");
    daemon.ask("stdout one");
    assert_eq!((stage.read("log.1"), stage.read("log")), (String::new(), "by somebody else\none\n".into()));
}

#[test]
fn descriptors_and_threads_stay_what_they_are() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stdout", "out", "--stderr", "err"]);
    let before = daemon.look();
    rename(&stage, "out", "out.1");
    rename(&stage, "err", "err.1");
    hang_up(&mut daemon);
    let after = daemon.look();
    assert_eq!(before, after, "the names, too");
    assert_eq!(after.descriptors()[&1], stage.path("out").to_string_lossy());
    assert!(!after.get("close_on_exec").split(',').any(|number| ["1", "2"].contains(&number)), "{after:?}");
    assert_eq!(fs::read_dir(format!("/proc/{}/task", daemon.process.0)).expect("look").count(), 1);
    for number in [1, 2] {
        assert_eq!(status_flags(daemon.process, number) & libc::O_NONBLOCK, 0);
        assert_eq!(status_flags(daemon.process, number) & libc::O_APPEND, libc::O_APPEND);
    }
}

/// Of the open file, proc(5).
fn status_flags(process: Process, number: i32) -> i32 {
    let info = fs::read_to_string(format!("/proc/{}/fdinfo/{number}", process.0)).expect("a descriptor");
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).expect("flags").trim();
    i32::from_str_radix(flags, 8).expect("octal")
}

#[test]
fn a_new_file_is_0640_whatever_the_umask_and_an_existing_one_keeps_its_mode() {
    for umask in ["000", "777", "027"] {
        let stage = Stage::new();
        let mut daemon = daemon(&stage, &["--stdout", "log", "--umask", umask]);
        rename(&stage, "log", "log.1");
        assert_eq!(daemon.ask("reopen"), "");
        assert_eq!(stage.path("log").metadata().expect("the log").mode() & 0o7777, 0o640, "umask {umask}");
        rename(&stage, "log", "log.2");
        File::options().write(true).create_new(true).mode(0o600).open(stage.path("log")).expect("a log");
        assert_eq!(daemon.ask("reopen"), "");
        daemon.ask("stdout one");
        assert_eq!(stage.path("log").metadata().expect("the log").mode() & 0o7777, 0o600, "umask {umask}");
        assert_eq!(stage.read("log"), "one\n");
    }
}

#[test]
fn what_was_not_given_by_a_path_stays() {
    for stdout in ["file:own", "pipe:cat >> own"] {
        let stage = Stage::new();
        let mut daemon = listening(&stage, &["--stdout", stdout]);
        let before = daemon.process.descriptor(1);
        daemon.ask("stdout one");
        hang_up(&mut daemon);
        assert_eq!(daemon.ask("reopen"), "");
        assert_eq!(daemon.process.descriptor(1), before);
        daemon.ask("stdout two");
        eventually("the lines", || (stage.read("own") == "one\ntwo\n").then_some(()));
    }
    let stage = Stage::new();
    let mut daemon = listening(&stage, &[]);
    hang_up(&mut daemon);
    assert_eq!(daemon.process.descriptor(1), Some("/dev/null".into()));
}

#[test]
fn what_the_program_put_in_place_stays() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stdout", "log"]);
    let own = stage.path("own");
    assert_eq!(daemon.ask(&format!("replace-stderr {}", own.display())), "");
    rename(&stage, "log", "log.1");
    hang_up(&mut daemon);
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    assert_eq!((stage.read("log"), stage.read("own")), ("one\n".into(), "two\n".into()));
}

#[test]
fn a_fifo_is_opened_anew() {
    let stage = Stage::new();
    let open = |name: &str| {
        mkfifo(&stage.path(name), Mode::S_IRWXU).expect("create a FIFO");
        File::options().read(true).write(true).open(stage.path(name)).expect("a reader")
    };
    let first = open("fifo");
    let mut daemon = listening(&stage, &["--stdout", "fifo"]);
    rename(&stage, "fifo", "fifo.1");
    let second = open("fifo");
    hang_up(&mut daemon);
    daemon.ask("stdout one");
    assert_eq!(read_some(&second), "one\n");
    assert_eq!(status_flags(daemon.process, 1) & libc::O_NONBLOCK, 0);

    // Nobody reads the next one: the second stays, and nothing is written to it, since that may block.
    rename(&stage, "fifo", "fifo.2");
    mkfifo(&stage.path("fifo"), Mode::S_IRWXU).expect("create a FIFO");
    hang_up(&mut daemon);
    let path = stage.path("fifo");
    assert_eq!(
        daemon.ask("reopen"),
        format!("error: cannot reopen stdout {}: No such device or address (os error 6)", path.display())
    );
    daemon.ask("stdout two");
    assert_eq!(read_some(&second), "two\n");
    drop(first);
}

fn read_some(mut file: &File) -> String {
    let mut bytes = [0; 1024];
    let read = file.read(&mut bytes).expect("read");
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

#[test]
fn it_is_done_as_the_user_wherever_the_daemon_is() {
    needs_root!();
    let stage = open_stage();
    directory(&stage, "logs", NOBODY);
    let options = ["--user", "nobody", "--connect", "--chdir", "/usr", "--go-to", "logs"];
    let mut daemon = listening(&stage, &[&["--stdout", "logs/out", "--stderr", "logs/err"], &options[..]].concat());
    for log in ["out", "err"] {
        rename(&stage, &format!("logs/{log}"), &format!("logs/{log}.1"));
    }
    hang_up(&mut daemon);
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    for (log, text) in [("logs/out", "one\n"), ("logs/err", "two\n")] {
        let metadata = stage.path(log).metadata().expect("a log");
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (NOBODY, NOBODY, 0o640));
        assert_eq!(stage.read(log), text);
    }
}

#[test]
fn in_a_jail() {
    needs_root!();
    // The names inside are those of the jail's own directory, however the log is named outside.
    for (jail, log) in [("jail", "jail/logs/log"), ("jail", "jail/../link/log"), ("link-to-jail", "jail/logs/log")] {
        for user in [[].as_slice(), &["--user", "nobody"]] {
            let stage = Stage::new(); // which nobody else may enter: from inside, nobody has to
            directory(&stage, "jail", 0);
            directory(&stage, "jail/logs", NOBODY);
            symlink("jail/logs", stage.path("link")).expect("link");
            symlink("jail", stage.path("link-to-jail")).expect("link");
            let options = [&["--chroot", jail, "--stdout", log, "--connect"], user].concat();
            let mut daemon = if user.is_empty() || log.starts_with("jail/logs") {
                listening(&stage, &options)
            } else {
                continue; // outside, the user may not follow a link
            };
            let before = daemon.look().descriptors().len();
            rename(&stage, "jail/logs/log", "jail/logs/log.1");
            hang_up(&mut daemon);
            daemon.ask("stdout one");
            assert_eq!(stage.read("jail/logs/log"), "one\n", "{options:?}");
            assert_eq!(daemon.look().descriptors().len(), before, "{options:?}: one of a directory would lead out");
        }
    }
}

#[test]
fn in_the_foreground_streams_are_left_alone() {
    let stage = Stage::new();
    let mut command = probe(&stage);
    let mut child =
        command.args(["--foreground", "--stdout", "unused"]).stdout(stage.create("out")).spawn().expect("start");
    let mut program = stage.daemon();
    rename(&stage, "out", "out.1");
    program.process.signal(Signal::SIGHUP);
    assert_eq!(program.ask("reopen"), "");
    program.ask("stdout one");
    assert_eq!((stage.read("out.1"), stage.files()), ("one\n".into(), vec!["out.1".into()]));
    assert_eq!(program.ask("listen signal-hook"), "");
    hang_up(&mut program);
    program.send("exit 7");
    assert_eq!(eventually("its end", || child.try_wait().expect("wait")).code(), Some(7));
}

#[test]
fn without_the_option() {
    let stage = Stage::new();
    let mut daemon = stage.started(stage.command(PROBE).args(["--stdout", "log"]));
    let line = "error: cannot reopen logs: no daemon was started with `reopen_logs`";
    assert_eq!(daemon.ask("reopen"), line);
    daemon.process.signal(Signal::SIGHUP);
    assert!(matches!(daemon.wait(), WaitStatus::Signaled(_, Signal::SIGHUP, _)));
}
