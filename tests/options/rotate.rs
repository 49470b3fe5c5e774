//! Logs with an end: beyond a size they are renamed, and the oldest are removed.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
    process::Command,
};

use nix::{libc, sys::signal::Signal};
use support::{Daemon, Libc, Process, Stage, eventually, needs_root};

use super::{NOBODY, directory, set_mode};
use crate::PROBE;

mod beside_others;
mod every_line;
mod failing;
mod fifo;
mod refused;
mod steps;

/// A line that is longer than the limits in here, and begins with a word.
fn line(word: &str) -> String {
    format!("{word} {:.>60}", "")
}

fn probe(stage: &Stage, options: &[&str]) -> Command {
    let mut command = stage.command(PROBE);
    command.args(options);
    command
}

fn daemon(stage: &Stage, options: &[&str]) -> Daemon {
    stage.started(&mut probe(stage, options))
}

/// Prints a line, and rotates the log that is beyond its limit by that.
fn fill(daemon: &mut Daemon, word: &str) {
    daemon.ask(&format!("stdout {}", line(word)));
    assert_eq!(daemon.ask("rotate"), "");
}

/// The first word of each line of these files. `eprintln!` writes the end of a line by itself, maybe to the next file.
fn words(stage: &Stage, names: &[&str]) -> Vec<String> {
    let first = |line: &str| line.split(' ').next().map(str::to_owned);
    let words =
        |name: &&str| stage.read(name).lines().filter(|line| !line.is_empty()).filter_map(first).collect::<Vec<_>>();
    names.iter().map(|name| words(name).join(" ")).collect()
}

/// Those of a process, by their names.
fn threads(process: Process) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", process.0)).expect("its threads");
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default().trim().to_owned();
    let mut names: Vec<_> = tasks.map(|task| name(task.expect("a thread"))).collect();
    names.sort();
    names
}

#[test]
fn beyond_its_limit_a_log_gets_a_number_by_itself() {
    for options in [&["--stdout", "rotate:50,3:log"][..], &["--stderr", "rotate:50,3:log"]] {
        let stage = Stage::new();
        let mut daemon = daemon(&stage, options);
        let stream = options[0].trim_start_matches('-');
        let number = if stream == "stdout" { 1 } else { 2 };
        for round in 1..=3 {
            daemon.ask(&format!("{stream} {}", line(&round.to_string())));
            eventually("the new log", || {
                let is_there = stage.path(&format!("log.{round}")).exists();
                (is_there && daemon.process.descriptor(number)? == stage.path("log")).then_some(())
            });
        }
        daemon.ask(&format!("{stream} the last"));
        assert_eq!(words(&stage, &["log.3", "log.2", "log.1", "log"]), ["1", "2", "3", "the"], "{options:?}");
        assert_eq!(stage.files(), ["log", "log.1", "log.2", "log.3"]);
    }
}

#[test]
fn up_to_its_limit_it_stays() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:4,3:log"]);
    for (word, files) in [("one", &["log"][..]), ("two", &["log", "log.1"])] {
        daemon.ask(&format!("stdout {word}"));
        assert_eq!(daemon.ask("rotate"), "");
        assert_eq!(stage.files(), files);
    }
    assert_eq!((stage.read("log.1"), stage.read("log")), ("one\ntwo\n".into(), String::new()));
}

#[test]
fn at_most_so_many_are_kept() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,2:log"]);
    for round in 1..=5 {
        fill(&mut daemon, &round.to_string());
    }
    daemon.ask("stdout the last");
    assert_eq!(stage.files(), ["log", "log.1", "log.2"]);
    assert_eq!(words(&stage, &["log.2", "log.1", "log"]), ["4", "5", "the"]);
}

#[test]
fn what_a_higher_number_had_kept_is_removed() {
    let stage = Stage::new();
    for name in ["log.1", "log.2", "log.3", "log.4", "log.6"] {
        fs::write(stage.path(name), name).expect("write");
    }
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,2:log"]);
    fill(&mut daemon, "one");
    assert_eq!(stage.files(), ["log", "log.1", "log.2", "log.6"], "behind the gap it may be anybody's");
    assert_eq!(stage.read("log.2"), "log.1");
}

/// It does no harm.
#[test]
fn what_is_beyond_and_no_file_stays() {
    let stage = Stage::new();
    fs::write(stage.path("log.1"), "").expect("write");
    stage.create_directory("log.2");
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,1:log"]);
    fill(&mut daemon, "one");
    assert_eq!((words(&stage, &["log.1"]), stage.path("log.2").is_dir()), (vec!["one".into()], true));
}

#[test]
fn what_is_behind_a_gap_stays() {
    let stage = Stage::new();
    for name in ["log.1", "log.3"] {
        fs::write(stage.path(name), name).expect("write");
    }
    let mut daemon = daemon(&stage, &["--stdout", &format!("rotate:50,{}:log", u32::MAX)]);
    fill(&mut daemon, "one");
    assert_eq!((stage.read("log.2"), stage.read("log.3")), ("log.1".into(), "log.3".into()));
}

/// If somebody has the old file open, all of its text is there: nothing is truncated.
#[test]
fn where_none_is_kept_it_starts_over() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,0:log"]);
    let mut reader = fs::File::open(stage.path("log")).expect("open");
    let number = stage.path("log").metadata().expect("a log").ino();
    fill(&mut daemon, "one");
    daemon.ask("stdout two");
    assert_eq!((stage.files(), stage.read("log")), (vec!["log".into()], "two\n".into()));
    assert_ne!(stage.path("log").metadata().expect("a log").ino(), number);
    let mut old = String::new();
    std::io::Read::read_to_string(&mut reader, &mut old).expect("read");
    assert_eq!(old, line("one") + "\n");
    assert_eq!(reader.metadata().expect("a file").nlink(), 0);
}

#[test]
fn mode_and_owner_are_those_of_the_log() {
    for umask in ["000", "777", "027"] {
        for mode in [None, Some(0o600), Some(0o604), Some(0o666)] {
            let stage = Stage::new();
            if let Some(mode) = mode {
                drop(stage.create("log"));
                set_mode(&stage.path("log"), mode);
            }
            let mut daemon = daemon(&stage, &["--stdout", "rotate:50,2:log", "--umask", umask]);
            fill(&mut daemon, "one");
            fill(&mut daemon, "two");
            for name in ["log", "log.1", "log.2"] {
                let found = stage.path(name).metadata().expect("a log").mode() & 0o7777;
                assert_eq!(found, mode.unwrap_or(0o640), "{name} {umask}");
            }
        }
    }
}

#[test]
fn root_gives_the_new_one_to_whose_the_log_was() {
    needs_root!();
    let stage = Stage::new();
    drop(stage.create("log"));
    set_mode(&stage.path("log"), 0o660);
    chown(stage.path("log"), Some(NOBODY), Some(7777)).expect("give it away");
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,1:log"]);
    fill(&mut daemon, "one");
    for name in ["log", "log.1"] {
        let log = stage.path(name).metadata().expect("a log");
        assert_eq!((log.uid(), log.gid(), log.mode() & 0o7777), (NOBODY, 7777, 0o660), "{name}");
    }
}

/// The old group's permissions are not given to the user's own group.
#[test]
fn a_user_who_cannot_give_it_to_the_group_lets_no_other_read_it() {
    needs_root!();
    let stage = Stage::new();
    stage.open_to_all();
    directory(&stage, "logs", NOBODY);
    drop(stage.create("logs/log"));
    set_mode(&stage.path("logs/log"), 0o660);
    chown(stage.path("logs/log"), Some(NOBODY), Some(7777)).expect("give it away");
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,1:logs/log", "--user", "nobody", "--connect"]);
    fill(&mut daemon, "one");
    let log = stage.path("logs/log").metadata().expect("a log");
    assert_eq!((log.uid(), log.gid(), log.mode() & 0o7777), (NOBODY, NOBODY, 0o600));
}

#[test]
fn both_streams_on_one_file_take_one_turn() {
    let ways: [&[&str]; 4] = [
        &["--stdout", "rotate:50,5:log"],
        &["--stdout", "rotate:50,5:log", "--stderr", "rotate:50,5:./log"],
        &["--stdout", "rotate:50,5:log", "--stderr", "log"],
        &["--stdout", "truncate:log", "--stderr", "rotate:50,5:log"],
    ];
    for options in ways {
        let stage = Stage::new();
        let mut daemon = daemon(&stage, options);
        fill(&mut daemon, "one");
        daemon.ask("stdout two");
        daemon.ask("stderr three");
        assert_eq!(words(&stage, &["log.1", "log"]), ["one", "two three"], "{options:?}");
        assert_eq!(stage.files(), ["log", "log.1"], "{options:?}");
    }
}

#[test]
fn each_log_has_its_own_limit() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,1:out", "--stderr", "rotate:90,1:err"]);
    for _ in 0..2 {
        daemon.ask(&format!("stderr {}", line("two")));
        fill(&mut daemon, "one");
    }
    assert_eq!(words(&stage, &["out.1", "out", "err.1", "err"]), ["one", "", "two two", ""]);
    assert_eq!(stage.files(), ["err", "err.1", "out", "out.1"]);
    // One that has none is not renamed.
    let stage = Stage::new();
    let mut daemon = self::daemon(&stage, &["--stdout", "rotate:50,1:out", "--stderr", "err"]);
    daemon.ask(&format!("stderr {}", line("two")));
    fill(&mut daemon, "one");
    assert_eq!(stage.files(), ["err", "out", "out.1"]);
}

#[test]
fn a_log_that_was_beyond_its_limit_before() {
    let stage = Stage::new();
    fs::write(stage.path("log"), line("before")).expect("write");
    let _daemon = daemon(&stage, &["--stdout", "rotate:50,1:log"]);
    eventually("the new log", || stage.path("log.1").exists().then_some(()));
    assert_eq!(words(&stage, &["log.1"]), ["before"]);
}

#[test]
fn descriptors_stay_what_they_are() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,3:log", "--stderr", "rotate:50,3:err"]);
    let before = daemon.look();
    fill(&mut daemon, "one");
    assert!(stage.path("log.1").exists());
    assert_eq!(daemon.look(), before, "the names, too");
}

#[test]
fn what_the_program_put_in_place_stays() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,3:log"]);
    assert_eq!(daemon.ask(&format!("replace-stderr {}", stage.path("own").display())), "");
    daemon.ask(&format!("stderr {}", line("one")));
    fill(&mut daemon, "two");
    daemon.ask("stderr three");
    assert_eq!(words(&stage, &["log.1", "log", "own"]), ["two", "", "one three"]);
}

#[test]
fn it_is_done_as_the_user_and_in_a_jail() {
    needs_root!();
    for (options, log) in [
        (&["--user", "nobody", "--chdir", "/usr"][..], "jail/logs/log"),
        (&["--chroot", "jail"], "jail/logs/log"),
        (&["--chroot", "jail", "--user", "nobody"], "jail/logs/log"),
        (&["--chroot", "jail", "--user", "nobody"], "jail/../jail/logs/log"),
    ] {
        let stage = Stage::new();
        stage.open_to_all();
        directory(&stage, "jail", 0);
        directory(&stage, "jail/logs", NOBODY);
        let stdout = format!("rotate:50,2:{log}");
        let mut daemon = daemon(&stage, &[options, &["--stdout", &stdout, "--connect"]].concat());
        let before = daemon.look().descriptors().len();
        fill(&mut daemon, "one");
        daemon.ask("stdout two");
        assert_eq!(words(&stage, &["jail/logs/log.1", "jail/logs/log"]), ["one", "two"], "{options:?}");
        let owner = stage.path("jail/logs/log").metadata().expect("a log").uid();
        assert_eq!(owner, if options.contains(&"--user") { NOBODY } else { 0 });
        assert_eq!(daemon.look().descriptors().len(), before, "{options:?}: one of a directory would lead out");
    }
}

#[test]
fn the_thread_is_there_with_the_option_alone_and_blocks_all_signals() {
    let stage = Stage::new();
    assert_eq!(threads(daemon(&stage, &["--stdout", "log", "--reopen-logs"]).process), ["probe"]);
    assert_eq!(threads(daemon(&stage, &["--stdout", "rotate:50,1:/dev/null"]).process), ["probe"], "it does not grow");

    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,1:log"]);
    // It gives itself its name.
    eventually("the thread", || (threads(daemon.process) == ["probe", "rotate-logs"]).then_some(()));
    let blocked = |task: i32| {
        let status = fs::read_to_string(format!("/proc/{}/task/{task}/status", daemon.process.0)).expect("a thread");
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).expect("signals").trim().to_owned();
        u64::from_str_radix(&blocked, 16).expect("a set of signals")
    };
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.process.0)).expect("its threads");
    let mut numbers =
        tasks.map(|task| task.expect("a thread").file_name().to_string_lossy().parse().expect("a number"));
    let other = numbers.find(|&task: &i32| task != daemon.process.0).expect("a second thread");
    let unblockable = [libc::SIGKILL, libc::SIGSTOP].iter().fold(0, |set, signal| set | 1_u64 << (signal - 1));
    assert_eq!(!blocked(other) & !Libc::of(PROBE).own_signals(), unblockable);
    assert_eq!(blocked(daemon.process.0), 0, "those of `main` are not");

    // Whoever rotates by the call has no second thread.
    assert_eq!(daemon.ask("rotate"), "");
    assert_eq!(threads(daemon.process), ["probe"]);
    daemon.ask(&format!("stdout {}", line("one")));
    assert_eq!(daemon.ask("rotate"), "");
    assert!(stage.path("log.1").exists());
}

/// A thread that had started before the change of user would keep root's capabilities.
#[test]
fn the_thread_may_no_more_than_main() {
    needs_root!();
    let stage = Stage::new();
    stage.open_to_all();
    directory(&stage, "jail", 0);
    directory(&stage, "jail/logs", NOBODY);
    let options = ["--user", "nobody", "--chroot", "jail", "--no-new-privs", "--connect"];
    let daemon = daemon(&stage, &[&options[..], &["--stdout", "rotate:50,1:jail/logs/log"]].concat());
    let rights = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).expect("a thread");
        let keys = ["Uid:", "Gid:", "Groups:", "CapPrm:", "CapEff:", "CapAmb:", "NoNewPrivs:"];
        let rights = status.lines().filter(|line| keys.iter().any(|key| line.starts_with(key)));
        (rights.map(str::to_owned).collect::<Vec<_>>(), fs::read_link(task.path().join("root")).expect("a root"))
    };
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.process.0)).expect("its threads");
    let rights: Vec<_> = tasks.map(|task| rights(task.expect("a thread"))).collect();
    assert_eq!(rights.len(), 2);
    assert_eq!(rights[0], rights[1]);
    assert_eq!((rights[0].0.len(), &rights[0].1), (7, &stage.path("jail")));
}

/// unshare(2) refuses a process that has a second thread.
#[test]
fn behind_the_first_call_the_thread_is_gone() {
    for _ in 0..20 {
        let stage = Stage::new();
        let mut daemon = daemon(&stage, &["--stdout", "rotate:50,1:log"]);
        assert_eq!(daemon.ask("rotate-and-leave-users"), "");
    }
}

#[test]
fn a_worker_does_not_rotate() {
    let error = |error: &str| format!("Err(cannot rotate logs: {error})");
    let ask = |command: &str| {
        let stage = Stage::new();
        let mut daemon = daemon(&stage, &["--stdout", "rotate:50,1:log"]);
        assert_eq!(daemon.ask("rotate"), ""); // and there is no thread
        daemon.ask(&format!("stdout {}", line("one")));
        let said = daemon.ask(command);
        assert_eq!(stage.files(), ["log"]);
        said
    };
    let why = "they belong to the process that forked this one";
    assert_eq!(ask("rotate-in-worker"), error(why));
    needs_root!();
    assert_eq!(ask("rotate-as-process-1"), format!("1 {}", error(why)));
}

/// Forked while the thread is there, which no fork copies.
#[test]
fn a_worker_has_no_thread() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,9:log"]);
    let worker = Process(daemon.ask("fork").parse().expect("a process id"));
    assert_eq!(threads(worker), ["probe"]);
    daemon.ask(&format!("stdout {}", line("one")));
    eventually("the new log", || stage.path("log.1").exists().then_some(()));
    assert_eq!(worker.descriptor(1), Some(stage.path("log.1")), "its own is left alone");
    worker.signal(Signal::SIGKILL);
}

#[test]
fn in_the_foreground_nothing_is_rotated() {
    let stage = Stage::new();
    let options = ["--foreground", "--stdout", "rotate:50,1:unused", "--stderr", "rotate:0,1:nothing"];
    let mut command = probe(&stage, &options);
    let mut child = command.stdout(stage.create("out")).spawn().expect("start");
    let mut program = stage.daemon();
    assert_eq!(threads(program.process), ["probe"]);
    fill(&mut program, "one");
    assert_eq!(stage.files(), ["out"]);
    program.send("exit 7");
    assert_eq!(eventually("its end", || child.try_wait().expect("wait")).code(), Some(7));
}

#[test]
fn without_a_limit() {
    for options in [&["--stdout", "log"][..], &["--stdout", "log", "--reopen-logs"]] {
        let stage = Stage::new();
        let mut daemon = daemon(&stage, options);
        assert_eq!(daemon.ask("rotate"), "error: cannot rotate logs: no log was given with `rotate`");
    }
}
