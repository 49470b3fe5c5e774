//! Rotation by logrotate(8), the real program, under a daemon that writes all the time.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::Path,
};

use support::{Daemon, Stage, eventually, needs_root, needs_tools};

use super::{NOBODY, directory, set_mode};
use crate::PROBE;

const THREADS: usize = 4;
const ROTATIONS: usize = 6;

/// As the manual has it.
const HANG_UP: &str = "postrotate\npkill --signal HUP --logpidfile --pidfile PIDFILE || true\nendscript";

/// Rotates while the daemon writes its lines, and looks for each of them.
fn every_line_is_there_once(stage: &Stage, daemon: &mut Daemon, log: &str, directives: &str) {
    configure(stage, log, directives);
    assert_eq!(daemon.ask(&format!("begin-lines {THREADS}")), "");
    let written_to = || fs::metadata(stage.path(log)).is_ok_and(|log| log.len() > 0).then_some(());
    eventually("lines in the log", written_to);
    for _ in 0..ROTATIONS {
        rotate(stage);
        eventually("lines in the new log", written_to);
    }
    let counts = daemon.ask("end-lines");
    let parts = parts(stage, log);
    assert_eq!(parts.len(), ROTATIONS + 1);
    assert!(parts.iter().all(|part| !part.is_empty()));
    assert_lines(&parts.concat(), &counts);
}

/// In the order of each thread, none torn, twice, or missing.
fn assert_lines(text: &str, counts: &str) {
    let mut next = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let ["thread", thread, "line", number, padding] = words[..] else { panic!("torn: {line:?}") };
        assert_eq!(padding, ".".repeat(60), "torn: {line:?}");
        let next: &mut usize = next.entry(thread.to_owned()).or_default();
        assert_eq!(number.parse(), Ok(*next), "missing or twice: {line:?}");
        *next += 1;
    }
    assert_eq!(next.into_values().map(|count| count.to_string()).collect::<Vec<_>>().join(" "), counts);
}

fn configure(stage: &Stage, log: &str, directives: &str) {
    let pidfile = stage.path("pid").display().to_string();
    let directives = directives.replace("PIDFILE", &pidfile);
    let rules = format!("{} {{\nrotate 1000\nmissingok\n{directives}\n}}\n", stage.path(log).display());
    fs::write(stage.path("rules"), rules).expect("write");
    set_mode(&stage.path("rules"), 0o600);
}

fn rotate(stage: &Stage) {
    let mut logrotate = stage.command("logrotate");
    let output = logrotate.args(["--force", "--state", "state", "rules"]).output().expect("start logrotate");
    assert!(output.status.success(), "{output:?}");
}

/// What was renamed, from the oldest on, and the log itself.
fn parts(stage: &Stage, log: &str) -> Vec<String> {
    let renamed = (1..).map(|number| format!("{log}.{number}")).take_while(|name| stage.path(name).exists());
    let mut names: Vec<_> = renamed.collect();
    names.reverse();
    names.push(log.to_owned());
    names.iter().map(|name| stage.read(name)).collect()
}

fn daemon(stage: &Stage, options: &[&str]) -> Daemon {
    stage.started(stage.command(PROBE).args(["--reopen-logs", "--pidfile", "pid", "--connect"]).args(options))
}

fn logs_of_nobodys(stage: &Stage) {
    stage.open_to_all();
    directory(stage, "logs", NOBODY);
}

fn owner(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").uid()
}

/// The daemon creates the new file.
#[test]
fn by_default() {
    needs_tools!("logrotate", "pkill");
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "log"]);
    every_line_is_there_once(&stage, &mut daemon, "log", HANG_UP);
}

/// logrotate creates it.
#[test]
fn with_create() {
    needs_tools!("logrotate", "pkill");
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "log"]);
    every_line_is_there_once(&stage, &mut daemon, "log", &format!("create 0604\n{HANG_UP}"));
    assert_eq!(fs::metadata(stage.path("log")).expect("a log").mode() & 0o7777, 0o604, "not logrotate's");
}

#[test]
fn by_default_as_a_user() {
    needs_root!();
    needs_tools!("logrotate", "pkill");
    let stage = Stage::new();
    logs_of_nobodys(&stage);
    let mut daemon = daemon(&stage, &["--stdout", "logs/log", "--user", "nobody"]);
    every_line_is_there_once(&stage, &mut daemon, "logs/log", HANG_UP);
    assert_eq!(owner(&stage.path("logs/log")), NOBODY);
}

/// In a directory of root's.
#[test]
fn with_create_as_a_user() {
    needs_root!();
    needs_tools!("logrotate", "pkill");
    let stage = Stage::new();
    stage.open_to_all();
    drop(stage.create("log"));
    chown(stage.path("log"), Some(NOBODY), Some(NOBODY)).expect("give it away");
    let mut daemon = daemon(&stage, &["--stdout", "log", "--user", "nobody"]);
    every_line_is_there_once(&stage, &mut daemon, "log", &format!("create 0640 {NOBODY} {NOBODY}\n{HANG_UP}"));
    assert_eq!(owner(&stage.path("log")), NOBODY);
}

#[test]
fn in_a_jail() {
    needs_root!();
    needs_tools!("logrotate", "pkill");
    let stage = Stage::new();
    logs_of_nobodys(&stage);
    let mut daemon = daemon(&stage, &["--chroot", ".", "--stdout", "logs/log", "--user", "nobody"]);
    every_line_is_there_once(&stage, &mut daemon, "logs/log", HANG_UP);
}

#[test]
fn by_the_rules_of_the_manual() {
    needs_tools!("logrotate", "pkill");
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "log"]);
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../daemon-rt/src/manual.md");
    let manual = fs::read_to_string(manual).expect("the manual");
    let (_, rules) = manual.split_once("\n```text\n/var/log/ticker").expect("rules");
    let (rules, _) = rules.split_once("\n```\n").expect("the end of the rules");
    let path = |name: &str| stage.path(name).display().to_string();
    let log = ("/var/log/ticker/ticker.log", path("log"));
    let words = [log, ("/run/ticker.pid ticker", format!("{} probe", path("pid")))];
    let rules = words.iter().fold(format!("/var/log/ticker{rules}\n"), |rules, (word, ours)| {
        assert!(rules.contains(word), "{rules}");
        rules.replace(word, ours)
    });
    fs::write(stage.path("rules"), rules).expect("write");
    set_mode(&stage.path("rules"), 0o600);
    for round in 1..=3 {
        daemon.ask(&format!("stdout {round}"));
        rotate(&stage);
        eventually("the new log", || (daemon.process.descriptor(1)? == stage.path("log")).then_some(()));
    }
    assert_eq!(stage.files(), ["log", "log.1", "log.2.gz", "log.3.gz", "pid", "rules", "state"]);
    assert_eq!((stage.read("log"), stage.read("log.1")), (String::new(), "3\n".into()));
}

/// What is written between the copy and the truncation is lost, logrotate(8), whoever writes it. So nobody does: the
/// daemon is stopped meanwhile.
#[test]
fn with_copytruncate() {
    needs_tools!("logrotate", "pkill");
    let stop = "prerotate\n\
                kill -STOP $(cat PIDFILE)\n\
                until grep -q '^State:.T' /proc/$(cat PIDFILE)/task/*/status; do :; done\n\
                while grep -q '^State:.[RSD]' /proc/$(cat PIDFILE)/task/*/status; do :; done\n\
                endscript";
    let go_on = "postrotate\nkill -CONT $(cat PIDFILE)\nendscript";
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "log"]);
    every_line_is_there_once(&stage, &mut daemon, "log", &format!("copytruncate\n{stop}\n{go_on}"));
}
