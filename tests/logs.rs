//! Logs that are opened anew, by SIGHUP and by a call.

use std::{
    fs::{self, File, Permissions},
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink},
    path::Path,
    process::Command,
    thread,
};

use nix::{
    libc,
    sys::{signal::Signal, stat::Mode, wait::WaitStatus},
    unistd::mkfifo,
};
use support::{Daemon, Process, Stage, eventually, is_ordinary_user, is_root};

mod mounts;
mod preload;

const PROBE: &str = env!("CARGO_BIN_EXE_probe");

const NOBODY: u32 = 65534;

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

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

fn directory(stage: &Stage, name: &str, owner: u32) {
    fs::create_dir(stage.path(name)).expect("create a directory");
    set_mode(&stage.path(name), 0o755);
    chown(stage.path(name), Some(owner), Some(owner)).expect("give it away");
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
fn it_lives_beside_other_listeners() {
    for listener in ["signal-hook", "tokio", "sigaction", "informed-sigaction"] {
        for is_first in [true, false] {
            let stage = Stage::new();
            if !is_first && listener.ends_with("sigaction") {
                continue; // it takes our place, as it would any other's
            }
            let first: &[&str] = if is_first { &["--listen", listener] } else { &[] };
            let mut daemon = daemon(&stage, &[&["--stdout", "log"], first].concat());
            if !is_first {
                assert_eq!(daemon.ask(&format!("listen {listener}")), "");
            }
            for round in 1..=3 {
                rename(&stage, "log", &format!("log.{round}"));
                daemon.process.signal(Signal::SIGHUP);
                eventually("the new log", || stage.path("log").exists().then_some(()));
                let heard = if listener == "tokio" { 1 } else { round };
                assert_eq!(daemon.ask("heard"), heard.to_string(), "{listener} {is_first} {round}");
                daemon.ask(&format!("stdout {round}"));
                assert_eq!(stage.read("log"), format!("{round}\n"), "{listener} {is_first}");
            }
        }
    }
}

#[test]
fn one_that_setup_ignores_is_handled() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--ignore-signal", "SIGHUP", "--stdout", "log"]);
    rename(&stage, "log", "log.1");
    hang_up(&mut daemon);
    assert!(stage.path("log").exists());
}

/// A handler that changed it would have the program see another error than that of its own call.
#[test]
fn errno_is_kept() {
    for options in [[].as_slice(), &["--listen", "sigaction"]] {
        let stage = Stage::new();
        fs::create_dir(stage.path("logs")).expect("create a directory");
        let mut daemon = daemon(&stage, &[&["--stdout", "logs/log"], options].concat());
        assert_eq!(daemon.ask("errno-after 1"), "12345", "{options:?}");
        rename(&stage, "logs", "elsewhere");
        assert_eq!(daemon.ask("errno-after 1"), "12345", "{options:?}, it fails");
        assert!(stage.read("elsewhere/log").contains("No such file"), "{}", stage.read("elsewhere/log"));
    }
}

#[test]
fn what_waits_goes_on_waiting() {
    let stage = Stage::new();
    mkfifo(&stage.path("input"), Mode::S_IRWXU).expect("create a FIFO");
    let mut input = File::options().read(true).write(true).open(stage.path("input")).expect("a writer");
    let mut daemon = daemon(&stage, &["--stdin", "input", "--stdout", "log"]);
    rename(&stage, "log", "log.1");
    daemon.send("input");
    eventually("the wait for input", || (daemon.process.stat(3)? == "S").then_some(()));
    daemon.process.signal(Signal::SIGHUP);
    eventually("the new log", || stage.path("log").exists().then_some(()));
    std::io::Write::write_all(&mut input, b"words").expect("write");
    assert_eq!(daemon.answer(), "5");
}

#[test]
fn many_at_once_end_with_the_newest_file() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stdout", "log"]);
    assert_eq!(daemon.ask("begin-lines 4"), "");
    for round in 0..200 {
        rename(&stage, "log", &format!("log.{round}"));
        daemon.process.signal(Signal::SIGHUP);
        eventually("a log", || stage.path("log").exists().then_some(()));
    }
    let counts = daemon.ask("end-lines");
    hang_up(&mut daemon);
    daemon.ask("stdout last");
    assert!(stage.read("log").ends_with("last\n"));
    let lines: usize = stage.files().iter().map(|log| stage.read(log).lines().count()).sum();
    let counts = counts.split(' ').map(|count| count.parse::<usize>().expect("a number"));
    assert_eq!(lines, counts.sum::<usize>() + 1);
}

/// signal-safety(7). That there would be an end to it, the probe's own handler shows, which allocates.
#[test]
fn the_handler_allocates_nothing_and_locks_nothing() {
    let Some(library) = preload::library("HANDLER_ALLOCATES_NOTHING") else { return };
    let stage = Stage::new();
    fs::create_dir(stage.path("logs")).expect("create a directory");
    let mut command = probe(&stage);
    let mut daemon = stage.started(command.args(["--stdout", "logs/log"]).env("LD_PRELOAD", library));
    rename(&stage, "logs/log", "logs/log.1");
    daemon.process.signal(Signal::SIGHUP);
    eventually("the new log", || stage.path("logs/log").exists().then_some(()));
    rename(&stage, "logs", "gone");
    daemon.process.signal(Signal::SIGHUP);
    eventually("the reason", || stage.read("gone/log").contains("cannot reopen").then_some(()));
    daemon.look();

    assert_eq!(daemon.ask("listen allocating"), "");
    daemon.process.signal(Signal::SIGHUP);
    assert!(matches!(daemon.wait(), WaitStatus::Signaled(_, Signal::SIGABRT, _)));
}

/// Who opened the log before it was renamed puts it in place last.
#[test]
fn a_thread_that_is_late_starts_over() {
    let Some(library) = preload::library("DUP2_WAITS") else { return };
    let stage = Stage::new();
    let mut command = probe(&stage);
    command.env("LD_PRELOAD", library).env("WAIT", stage.path("wait")).env("GO", stage.path("go"));
    let mut daemon = stage.started(command.args(["--stdout", "log"]));
    drop(stage.create("wait"));
    assert_eq!(daemon.ask("begin-to-reopen"), "");
    eventually("a thread with the old log", || (!stage.path("wait").exists()).then_some(()));
    rename(&stage, "log", "log.1");
    assert_eq!(daemon.ask("listen signal-hook"), "");
    hang_up(&mut daemon);

    // A process that is forked now waits for no thread, since it has none.
    let worker = Process(daemon.ask("fork").parse().expect("a process id"));
    worker.signal(Signal::SIGHUP);
    eventually("the new log", || (worker.descriptor(1)? == stage.path("log")).then_some(()));
    worker.signal(Signal::SIGKILL);

    drop(stage.create("go"));
    eventually("the thread's end", || (daemon.process.status("Threads")? == "1").then_some(()));
    assert_eq!(daemon.process.descriptor(1), Some(stage.path("log")));
    assert_eq!(daemon.process.descriptor(2), Some(stage.path("log")));
}

/// A thread may call while the handler of another is at it.
#[test]
fn calls_and_hang_ups_do_not_wait_for_each_other() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "log"]);
    daemon.send("reopen-in-threads 4 500");
    thread::scope(|scope| {
        let process = daemon.process;
        let storm = scope.spawn(move || (0..2000).for_each(|_| process.signal(Signal::SIGHUP)));
        assert_eq!(daemon.answer(), "");
        storm.join().expect("the end of the storm");
    });
    rename(&stage, "log", "log.1");
    assert_eq!(daemon.ask("reopen"), "");
    daemon.ask("stdout one");
    assert_eq!(stage.read("log"), "one\n");
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

/// Each way to fail, with the reason.
#[test]
fn a_log_that_cannot_be_opened_stays_and_tells_why_once() {
    type Break = fn(&Stage);
    let ways: [(Break, &str); 5] = [
        (|stage| rename(stage, "logs", "gone"), "No such file or directory (os error 2)"),
        (
            |stage| {
                rename(stage, "logs", "gone");
                drop(stage.create("logs"));
            },
            "Not a directory (os error 20)",
        ),
        (
            |stage| {
                fs::create_dir_all(stage.path("gone")).expect("create a directory");
                rename(stage, "logs/log", "gone/log");
                fs::create_dir(stage.path("logs/log")).expect("create a directory");
            },
            "Is a directory (os error 21)",
        ),
        (
            |stage| {
                fs::create_dir_all(stage.path("gone")).expect("create a directory");
                rename(stage, "logs/log", "gone/log");
                drop(stage.create("target"));
                symlink("../target", stage.path("logs/log")).expect("link");
            },
            "it is a symbolic link",
        ),
        (
            |stage| {
                fs::create_dir_all(stage.path("gone")).expect("create a directory");
                rename(stage, "logs/log", "gone/log");
                symlink("../nowhere", stage.path("logs/log")).expect("link");
            },
            "it is a symbolic link",
        ),
    ];
    for (break_it, why) in ways {
        let stage = Stage::new();
        fs::create_dir(stage.path("logs")).expect("create a directory");
        let mut daemon = listening(&stage, &["--stdout", "logs/log"]);
        let line = format!("probe: cannot reopen stdout {}: {why}\n", stage.path("logs/log").display());
        break_it(&stage);
        daemon.ask("stdout one");
        hang_up(&mut daemon);
        hang_up(&mut daemon);
        let error = daemon.ask("reopen");
        assert!(error.starts_with("error: cannot reopen stdout ") && error.len() > 40, "{error}");
        daemon.ask("stdout two");
        daemon.ask("stderr three");
        assert_eq!(stage.read("gone/log"), format!("one\n{line}two\nthree\n"));
        assert_eq!((stage.read("target"), stage.path("nowhere").exists()), (String::new(), false));

        // It succeeds once, and fails again: that is told again.
        if fs::remove_file(stage.path("logs")).is_err() {
            let _ = fs::remove_dir_all(stage.path("logs"));
        }
        fs::create_dir(stage.path("logs")).expect("create a directory");
        hang_up(&mut daemon);
        rename(&stage, "logs", "again");
        hang_up(&mut daemon);
        hang_up(&mut daemon);
        let line = line.replace(why, "No such file or directory (os error 2)");
        assert_eq!(stage.read("again/log"), line);
    }
}

#[test]
fn each_log_tells_its_own_reason() {
    let stage = Stage::new();
    fs::create_dir(stage.path("logs")).expect("create a directory");
    let mut daemon = listening(&stage, &["--stdout", "logs/out", "--stderr", "err"]);
    rename(&stage, "logs", "gone");
    rename(&stage, "err", "err.1");
    hang_up(&mut daemon);
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    let path = stage.path("logs/out");
    let line = format!("probe: cannot reopen stdout {}: No such file or directory (os error 2)\n", path.display());
    assert_eq!((stage.read("gone/out"), stage.read("err")), (line + "one\n", "two\n".into()));
}

#[test]
fn a_directory_that_may_not_be_written_any_more() {
    if !is_ordinary_user() {
        return;
    }
    let stage = Stage::new();
    fs::create_dir(stage.path("logs")).expect("create a directory");
    let mut daemon = listening(&stage, &["--stdout", "logs/log"]);
    rename(&stage, "logs/log", "logs/log.1");
    set_mode(&stage.path("logs"), 0o555);
    assert_old_log_stays(&stage, &mut daemon, "logs/log.1", "Permission denied (os error 13)");
    set_mode(&stage.path("logs"), 0o755);
}

#[test]
fn a_directory_that_was_taken_from_the_user() {
    if !is_root() {
        return;
    }
    let stage = open_stage();
    directory(&stage, "logs", NOBODY);
    let mut daemon = listening(&stage, &["--stdout", "logs/log", "--user", "nobody", "--connect"]);
    rename(&stage, "logs/log", "logs/log.1");
    chown(stage.path("logs"), Some(0), Some(0)).expect("take it");
    assert_old_log_stays(&stage, &mut daemon, "logs/log.1", "Permission denied (os error 13)");
}

#[test]
fn a_file_of_somebody_elses_with_a_second_link() {
    if !is_root() {
        return;
    }
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stdout", "log"]);
    rename(&stage, "log", "log.1");
    fs::write(stage.path("theirs"), "secret\n").expect("write");
    chown(stage.path("theirs"), Some(NOBODY), None).expect("give it away");
    fs::hard_link(stage.path("theirs"), stage.path("log")).expect("link");
    let why = "it has a second hard link and belongs to another user";
    assert_old_log_stays(&stage, &mut daemon, "log.1", why);
    assert_eq!(stage.read("theirs"), "secret\n");
}

/// Bound read-only over itself, the directory is so for whoever comes by its name.
#[test]
fn a_file_system_that_is_read_only_by_then() {
    if !is_root() {
        return;
    }
    let stage = Stage::new();
    fs::create_dir(stage.path("logs")).expect("create a directory");
    let mut command = mounts::behind(&stage, "true", PROBE);
    let mut daemon = stage.started(command.args(["--reopen-logs", "--stdout", "logs/log"]));
    assert_eq!(daemon.ask("listen signal-hook"), "");
    rename(&stage, "logs/log", "logs/log.1");
    let logs = stage.path("logs").display().to_string();
    beside(daemon.process, &["mount", "--bind", &logs, &logs]);
    beside(daemon.process, &["mount", "-o", "remount,bind,ro", &logs]);
    assert_old_log_stays(&stage, &mut daemon, "logs/log.1", "Read-only file system (os error 30)");
}

fn assert_old_log_stays(stage: &Stage, daemon: &mut Daemon, old: &str, why: &str) {
    daemon.ask("stdout one");
    hang_up(daemon);
    hang_up(daemon);
    let error = daemon.ask("reopen");
    assert!(error.ends_with(why), "{error}");
    daemon.ask("stdout two");
    let [first, line, last] =
        stage.read(old).lines().map(str::to_owned).collect::<Vec<_>>().try_into().expect("three lines");
    assert_eq!([first.as_str(), last.as_str()], ["one", "two"]);
    assert!(line.starts_with("probe: cannot reopen stdout ") && line.ends_with(why), "{line}");
}

#[test]
fn a_full_disk() {
    if !is_root() {
        return;
    }
    let stage = Stage::new();
    fs::create_dir(stage.path("small")).expect("create a directory");
    let mount = "mount -t tmpfs -o size=64k,nr_inodes=4 tmpfs small";
    let mut command = mounts::behind(&stage, mount, PROBE);
    let mut daemon = stage.started(command.args(["--reopen-logs", "--stdout", "small/log"]));
    assert_eq!(daemon.ask("listen signal-hook"), "");
    let there = |name: &str| format!("/proc/{}/root{}/small/{name}", daemon.process.0, stage.directory().display());
    let [log, first, second] = ["log", "log.1", "log.2"].map(there);
    let read = |path: &str| fs::read_to_string(path).expect("read");
    let sleeps = |process: Process| eventually("sleep", || (process.stat(3)? == "S").then_some(()));

    let line = "a line ".repeat(100);
    let error =
        eventually("a full disk", || Some(daemon.ask(&format!("output {line}"))).filter(|said| !said.is_empty()));
    assert_eq!(error, "error: ENOSPC: No space left on device");
    assert!(read(&log).len() > 60_000, "{}", read(&log).len());
    sleeps(daemon.process);

    // A new file is not writable either, and one more cannot even be created.
    fs::rename(&log, &first).expect("rename");
    hang_up(&mut daemon);
    assert_eq!(daemon.ask(&format!("output {line}")), error);
    fs::rename(&log, &second).expect("rename");
    File::create(&log)
        .and_then(|_| fs::rename(&log, format!("{log}.last")))
        .expect("the last file that there is room for");
    hang_up(&mut daemon);
    hang_up(&mut daemon);
    assert_eq!(daemon.ask(&format!("output {line}")), error);
    sleeps(daemon.process);

    fs::remove_file(&first).expect("make room");
    assert_eq!(daemon.ask("output there is room again"), "");
    assert_eq!(daemon.ask("reopen"), "");
    assert_eq!(daemon.ask("output and a new log"), "");
    assert_eq!((read(&second), read(&log)), ("there is room again\n".into(), "and a new log\n".into()));
}

/// Runs a command where that process is.
fn beside(process: Process, command: &[&str]) {
    let mut enter = Command::new("nsenter");
    enter.args(["--mount", "--target", &process.0.to_string()]).args(command);
    assert!(enter.status().expect("start nsenter").success(), "{command:?}");
}

#[test]
fn it_is_done_as_the_user_wherever_the_daemon_is() {
    if !is_root() {
        return;
    }
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

/// Whoever may write in the directory of the user's would have the daemon write to any file of the user's, or root's.
#[test]
fn a_planted_link_is_not_followed() {
    if !is_root() {
        return;
    }
    for user in [[].as_slice(), &["--user", "nobody"]] {
        let stage = open_stage();
        directory(&stage, "logs", NOBODY);
        fs::write(stage.path("secret"), "").expect("write");
        chown(stage.path("secret"), Some(NOBODY), None).expect("give it away");
        let mut daemon = listening(&stage, &[&["--stdout", "logs/log", "--connect"], user].concat());
        rename(&stage, "logs/log", "logs/log.1");
        symlink(stage.path("secret"), stage.path("logs/log")).expect("link");
        assert_old_log_stays(&stage, &mut daemon, "logs/log.1", "it is a symbolic link");
        assert_eq!(stage.read("secret"), "");
    }
}

#[test]
fn a_directory_in_which_the_user_creates_nothing() {
    if !is_root() {
        return;
    }
    let stage = open_stage();
    directory(&stage, "logs", 0);
    for options in [["--stdout", "logs/log"], ["--stderr", "logs/log"], ["--stdout", "truncate:logs/log"]] {
        let stream = options[0].trim_start_matches('-');
        let (log, directory) = (stage.path("logs/log"), stage.path("logs"));
        let what = format!("cannot reopen {stream} {} as user nobody", log.display());
        let why = format!("it cannot be created in {}", directory.display());
        let remedy = "give it a directory of that user's";
        let line = format!("{what}: {why} after a rotation: Permission denied (os error 13); {remedy}");
        refused(&stage, &[&options[..], &["--user", "nobody"]].concat(), &line);
        assert!(!log.exists(), "left behind");
    }
    // Root may.
    drop(daemon(&stage, &["--stdout", "logs/log"]));
}

/// Who put it there for the user does it again at the rotation.
#[test]
fn a_log_that_somebody_creates_for_the_user() {
    if !is_root() {
        return;
    }
    let stage = open_stage();
    directory(&stage, "logs", 0);
    let create = || {
        drop(stage.create("logs/log"));
        chown(stage.path("logs/log"), Some(NOBODY), None).expect("give it away");
    };
    create();
    let mut daemon = listening(&stage, &["--stdout", "logs/log", "--user", "nobody", "--connect"]);
    rename(&stage, "logs/log", "logs/log.1");
    create();
    hang_up(&mut daemon);
    daemon.ask("stdout one");
    assert_eq!(stage.read("logs/log"), "one\n");
    daemon.send("exit 0");
    daemon.wait();

    chown(stage.path("logs/log"), Some(0), None).expect("take it");
    let log = stage.path("logs/log");
    let line = format!(
        "cannot reopen stdout {} as user nobody: it cannot be written to: Permission denied (os error 13); give it to that user",
        log.display()
    );
    for stdout in ["logs/log", "truncate:logs/log"] {
        refused(&stage, &["--stdout", stdout, "--user", "nobody"], &line);
        assert_eq!(stage.read("logs/log"), "one\n");
    }
}

fn refused(stage: &Stage, options: &[&str], line: &str) {
    stage.refuses(probe(stage).args(options), &format!("probe: {line}"));
}

#[test]
fn in_a_jail() {
    if !is_root() {
        return;
    }
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
            rename(&stage, "jail/logs/log", "jail/logs/log.1");
            hang_up(&mut daemon);
            daemon.ask("stdout one");
            assert_eq!(stage.read("jail/logs/log"), "one\n", "{options:?}");
        }
    }
}

#[test]
fn outside_of_the_jail() {
    if !is_root() {
        return;
    }
    let stage = open_stage();
    directory(&stage, "jail", 0);
    directory(&stage, "jailed", 0);
    symlink("../jailed", stage.path("jail/link")).expect("link");
    for log in ["log", "jailed/log", "jail/link/log", "jail/../log"] {
        let path = stage.path(log);
        let line = format!(
            "cannot reopen stdout {}: it lies outside of the root directory {}, and from inside nothing there can be opened",
            path.display(),
            stage.path("jail").display()
        );
        refused(&stage, &["--chroot", "jail", "--stdout", log], &line);
        assert!(!path.exists(), "left behind");
    }
    // Without the option it is only written to; and what nobody renames is not reopened.
    let device = listening(&stage, &["--chroot", "jail", "--connect", "--stdout", "/dev/null"]);
    drop((device, stage.started(stage.command(PROBE).args(["--chroot", "jail", "--connect", "--stdout", "log"]))));
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

/// As nohup(1) has it, for the programs that it runs, too.
#[test]
fn in_the_foreground_an_ignored_signal_stays_ignored() {
    let stage = Stage::new();
    let mut command = stage.command(env!("CARGO_BIN_EXE_arrange"));
    command.args(["--ignore", "SIGHUP", "--", PROBE, "--foreground", "--reopen-logs"]);
    let mut child = command.spawn().expect("start");
    let program = stage.daemon();
    let ignored = u64::from_str_radix(program.sight.get("SigIgn"), 16).expect("a set of signals");
    assert_eq!(ignored & 1, 1);
    drop(program);
    eventually("its end", || child.try_wait().expect("wait"));
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

#[test]
fn a_worker_reopens_its_own() {
    let stage = Stage::new();
    let mut daemon = listening(&stage, &["--stdout", "log"]);
    let worker = Process(daemon.ask("fork").parse().expect("a process id"));
    rename(&stage, "log", "log.1");
    worker.signal(Signal::SIGHUP);
    eventually("the new log", || (worker.descriptor(1)? == stage.path("log")).then_some(()));
    assert_eq!(daemon.process.descriptor(1), Some(stage.path("log.1")));
    hang_up(&mut daemon);
    assert_eq!(daemon.process.descriptor(1), Some(stage.path("log")));
    worker.signal(Signal::SIGKILL);
}

/// The signal may come as soon as there is somebody to get it.
#[test]
fn a_hang_up_during_the_start_does_not_end_it() {
    for _ in 0..20 {
        let stage = Stage::new();
        let mut command = probe(&stage);
        let mut launcher = command.args(["--pidfile", "pid", "--stdout", "log"]).spawn().expect("start");
        let own = Process(i32::try_from(launcher.id()).expect("a process id"));
        let status = loop {
            for process in stage.processes().into_iter().filter(|&process| process != own) {
                process.signal(Signal::SIGHUP);
            }
            if let Some(status) = launcher.try_wait().expect("wait") {
                break status;
            }
        };
        assert!(status.success(), "{status}");
        let mut daemon = stage.daemon();
        daemon.look();
    }
}
