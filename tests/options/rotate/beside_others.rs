//! Others who rename the log: logrotate(8), another program, an administrator. And children, which go on with the old one.

use std::fs;

use support::{Process, Stage, eventually, needs_tools};

use super::{daemon, fill, line, set_mode, words};

/// By any of them, and the daemon goes on in what the path leads to.
#[test]
fn what_somebody_else_rotated_is_left_alone() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,3:log"]);
    daemon.ask(&format!("stdout {}", line("one")));
    fs::rename(stage.path("log"), stage.path("theirs")).expect("rename");
    fs::write(stage.path("log"), line("another's") + "\n").expect("write");
    set_mode(&stage.path("log"), 0o604);
    assert_eq!(daemon.ask("rotate"), "");
    assert_eq!(stage.files(), ["log", "theirs"], "not renamed");
    daemon.ask("stdout two");
    assert_eq!(words(&stage, &["theirs", "log"]), ["one", "another's two"]);
    // From then on it is the daemon's own.
    assert_eq!(daemon.ask("rotate"), "");
    assert_eq!(words(&stage, &["log.1", "log"]), ["another's two", ""]);
}

/// If no old log is kept, one that somebody else keeps stays, even with the number that a rotation would have used.
#[test]
fn what_somebody_else_keeps_stays() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,0:log"]);
    daemon.ask(&format!("stdout {}", line("one")));
    fs::rename(stage.path("log"), stage.path("log.1")).expect("rename");
    assert_eq!(daemon.ask("rotate"), "");
    daemon.ask("stdout two");
    assert_eq!(words(&stage, &["log.1", "log"]), ["one", "two"]);
}

#[test]
fn one_that_is_missing_is_created() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,3:log"]);
    fs::remove_file(stage.path("log")).expect("remove");
    eventually("the new log", || (daemon.process.descriptor(1)? == stage.path("log")).then_some(()));
    daemon.ask("stdout one");
    assert_eq!(words(&stage, &["log"]), ["one"]);
}

#[test]
fn a_call_of_reopen_logs_works_as_with_its_option() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,3:log"]);
    fs::rename(stage.path("log"), stage.path("theirs")).expect("rename");
    assert_eq!(daemon.ask("reopen"), "");
    daemon.ask("stdout one");
    assert_eq!(words(&stage, &["theirs", "log"]), ["", "one"]);
    fill(&mut daemon, "two");
    assert_eq!(words(&stage, &["log.1", "log"]), ["one two", ""]);
}

#[test]
fn a_hang_up_opens_it_anew() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,3:log", "--reopen-logs"]);
    assert_eq!(daemon.ask("rotate"), ""); // and nobody else opens it
    fs::rename(stage.path("log"), stage.path("theirs")).expect("rename");
    daemon.process.signal(nix::sys::signal::Signal::SIGHUP);
    eventually("the new log", || stage.path("log").exists().then_some(()));
    fill(&mut daemon, "one");
    assert_eq!(words(&stage, &["log.1", "log", "theirs"]), ["one", "", ""]);
}

#[test]
fn logrotate() {
    needs_tools!("logrotate");
    for directives in ["", "create 0600", "copytruncate"] {
        let stage = Stage::new();
        let mut daemon = daemon(&stage, &["--stdout", "rotate:50,9:log"]);
        assert_eq!(daemon.ask("rotate"), "");
        let rules = format!("{} {{\nrotate 9\nmissingok\n{directives}\n}}\n", stage.path("log").display());
        fs::write(stage.path("rules"), rules).expect("write");
        set_mode(&stage.path("rules"), 0o600);
        for round in 1..=3 {
            daemon.ask(&format!("stdout {round}"));
            let mut logrotate = stage.command("logrotate");
            let output = logrotate.args(["--force", "--state", "state", "rules"]).output().expect("start logrotate");
            assert!(output.status.success(), "{output:?}");
            assert_eq!(daemon.ask("rotate"), "");
        }
        assert_eq!(words(&stage, &["log.3", "log.2", "log.1", "log"]), ["1", "2", "3", ""], "{directives}");
        fill(&mut daemon, "4");
        daemon.ask("stdout 5");
        assert_eq!(words(&stage, &["log.4", "log.1", "log"]), ["1", "4", "5"], "{directives}");
    }
}

/// It neither grows the new log nor keeps the daemon from the next rotation.
#[test]
fn a_child_that_keeps_the_old_file() {
    let stage = Stage::new();
    let mut daemon = daemon(&stage, &["--stdout", "rotate:50,2:log"]);
    let ask = stage.path("ask").display().to_string();
    fs::write(stage.path("script"), format!("while :; do until test -e {ask}; do :; done; echo child; rm {ask}; done"))
        .expect("write");
    let child = daemon.ask(&format!("shell exec sh {}", stage.path("script").display()));
    let child = Process(child.parse().expect("a process id"));
    let child_writes = || {
        drop(stage.create("ask"));
        eventually("the child's line", || (!stage.path("ask").exists()).then_some(()));
    };
    child_writes();
    for round in 1..=2 {
        fill(&mut daemon, &round.to_string());
        child_writes();
    }
    assert_eq!(words(&stage, &["log.2", "log.1", "log"]), ["child 1 child child", "2", ""]);
    fill(&mut daemon, "3");
    child_writes(); // to a file that is gone
    assert_eq!(words(&stage, &["log.2", "log.1", "log"]), ["2", "3", ""]);
    assert_eq!(stage.files(), ["log", "log.1", "log.2", "script"]);
    assert!(child.is_alive());
}
