//! Threads that print as fast as they can, and a log that is rotated all the time: every line is there once, and whole.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader},
    thread,
};

use support::{Daemon, Stage, eventually, needs_root};

use super::{NOBODY, daemon, directory};

const THREADS: usize = 4;

/// More than are made.
const KEEP: u32 = 100_000;

/// Has them print until that many files are there.
fn every_line_is_there_once(stage: &Stage, daemon: &mut Daemon, log: &str, rotations: usize) {
    assert_eq!(daemon.ask(&format!("begin-lines-at-once {THREADS}")), "");
    eventually("rotations", || stage.path(&format!("{log}.{rotations}")).exists().then_some(()));
    let counts = daemon.ask("end-lines");
    assert_eq!(daemon.ask("rotate"), ""); // and nothing is renamed any more
    assert_lines(stage, &[log], &counts);
}

/// In the order of each thread, none torn, twice, or missing. Each of these logs has what was before in its numbers.
fn assert_lines(stage: &Stage, logs: &[&str], counts: &str) {
    let mut next: HashMap<String, u32> = HashMap::new();
    for log in logs {
        let renamed = (1..).map(|number| format!("{log}.{number}")).take_while(|name| stage.path(name).exists());
        let mut names: Vec<_> = renamed.collect();
        names.reverse();
        names.push((*log).to_owned());
        for name in names {
            for line in BufReader::new(File::open(stage.path(&name)).expect("a log")).lines() {
                let line = line.expect("text");
                let words: Vec<_> = line.split(' ').collect();
                let ["thread", thread, "line", number, padding] = words[..] else { panic!("torn: {line:?}") };
                assert!(padding.len() == 60 && padding.bytes().all(|byte| byte == b'.'), "torn: {line:?}");
                if !next.contains_key(thread) {
                    next.insert(thread.to_owned(), 0);
                }
                let next = next.get_mut(thread).expect("a thread");
                assert_eq!(number.parse(), Ok(*next), "missing or twice: {line:?} in {name}");
                *next += 1;
            }
        }
    }
    let mut found: Vec<_> = next.into_iter().collect();
    found.sort();
    assert_eq!(found.iter().map(|(_, count)| count.to_string()).collect::<Vec<_>>().join(" "), counts);
}

fn rotated(log: &str) -> String {
    format!("rotate:100000,{KEEP}:{log}")
}

#[test]
fn by_the_thread() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", &rotated("log")]);
    every_line_is_there_once(&stage, &mut daemon, "log", 2);
}

#[test]
fn by_the_thread_as_a_user() {
    needs_root!();
    let stage = Stage::new();
    stage.open_to_all();
    directory(&stage, "logs", NOBODY);
    let mut daemon = daemon(&stage, &["--stdout", &rotated("logs/log"), "--user", "nobody", "--connect"]);
    every_line_is_there_once(&stage, &mut daemon, "logs/log", 2);
}

#[test]
fn by_the_thread_in_a_jail() {
    needs_root!();
    let stage = Stage::new();
    directory(&stage, "jail", 0);
    let options = ["--stdout", &rotated("jail/log"), "--chroot", "jail", "--connect"];
    let mut daemon = daemon(&stage, &options);
    every_line_is_there_once(&stage, &mut daemon, "jail/log", 2);
}

/// As often as it can.
#[test]
fn by_the_call() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", &rotated("log")]);
    assert_eq!(daemon.ask("begin-to-rotate"), "");
    every_line_is_there_once(&stage, &mut daemon, "log", 50);
}

/// SIGHUP comes all the time, too, and so do calls of `reopen_logs`.
#[test]
fn while_it_is_reopened() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", &rotated("log"), "--reopen-logs"]);
    assert_eq!(daemon.ask("begin-to-rotate"), "");
    assert_eq!(daemon.ask(&format!("begin-lines-at-once {THREADS}")), "");
    daemon.send("reopen-in-threads 2 300");
    thread::scope(|scope| {
        let process = daemon.process;
        let storm = scope.spawn(move || (0..500).for_each(|_| process.signal(nix::sys::signal::Signal::SIGHUP)));
        assert_eq!(daemon.answer(), "");
        storm.join().expect("the end of the storm");
    });
    eventually("rotations", || stage.path("log.20").exists().then_some(()));
    let counts = daemon.ask("end-lines");
    assert_eq!(daemon.ask("rotate"), ""); // and nothing is renamed any more
    assert_lines(&stage, &["log"], &counts);
}

/// Two programs, each of which rotates it as often as it can.
#[test]
fn of_two_programs_on_one_log() {
    let stage = Stage::new();
    let mut daemons = [(); 2].map(|()| daemon(&stage, &["--stdout", &rotated("log")]));
    for daemon in &mut daemons {
        assert_eq!(daemon.ask("begin-to-rotate"), "");
        assert_eq!(daemon.ask("begin-lines-at-once 2"), "");
    }
    eventually("rotations", || stage.path("log.50").exists().then_some(()));
    let counts = daemons.each_mut().map(|daemon| daemon.ask("end-lines"));
    for daemon in &mut daemons {
        assert_eq!(daemon.ask("rotate"), "");
    }
    let count = |counts: &str| counts.split(' ').map(|count| count.parse::<usize>().expect("a number")).sum::<usize>();
    let renamed = (1..).map(|number| format!("log.{number}")).take_while(|name| stage.path(name).exists());
    let lines: Vec<_> = renamed
        .chain(["log".to_owned()])
        .flat_map(|name| stage.read(&name).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let is_torn = |line: &&String| !(line.starts_with("thread ") && line.ends_with(&".".repeat(60)));
    assert_eq!(lines.iter().find(is_torn), None);
    assert_eq!(lines.len(), counts.iter().map(|counts| count(counts)).sum::<usize>());
    // Both go on in the new one, also the one that did not make it.
    for daemon in &mut daemons {
        assert_eq!(daemon.ask("rotate"), "");
        assert_eq!(daemon.process.descriptor(1), Some(stage.path("log")));
    }
}
