//! Logs that have an end: logrotate(8), and what a daemon does by itself.

use std::fs::{self, File};

use nix::sys::signal::Signal;
use support::{Daemon, Stage, within};

use crate::{
    program::{Program, WATCH, stage},
    verdict::{Objection, Verdict, judge, met_without},
};

fn starts(program: &Program, stage: &Stage, options: &[&str]) -> Result<Daemon, Objection> {
    let log = stage.path("log").display().to_string();
    program.starts(stage, &[], &[&["--stdout", &log], options].concat())
}

fn gets(stage: &Stage, name: &str, expected: &str) -> bool {
    within(WATCH, || (stage.read(name) == expected).then_some(())).is_some()
}

/// Where a line is written behind the end, there is a hole of zeros before it.
pub(crate) fn truncated(program: &Program) -> Verdict {
    let stage = stage();
    let mut daemon = starts(program, &stage, &[])?;
    daemon.ask("stdout one");
    let is_there = gets(&stage, "log", "one\n");
    File::options().write(true).truncate(true).open(stage.path("log")).expect("truncate the log");
    daemon.ask("stdout two");
    let objections = [
        (!is_there).then_some("the log is empty"),
        (is_there && !gets(&stage, "log", "two\n")).then_some("there is a hole before the next line"),
    ];
    met_without(&objections, "the next line is the first one")
}

pub(crate) fn reopened(program: &Program) -> Verdict {
    let stage = stage();
    let mut daemon = starts(program, &stage, &["--reopen-logs"])?;
    daemon.ask("stdout one");
    fs::rename(stage.path("log"), stage.path("log.1")).expect("rename the log");
    daemon.process.signal(Signal::SIGHUP);
    let _new = within(WATCH, || stage.path("log").exists().then_some(()));
    daemon.ask("stdout two");
    judge(gets(&stage, "log", "two\n") && gets(&stage, "log.1", "one\n"), "the next line is in the new one")
}

pub(crate) fn rotated(program: &Program) -> Verdict {
    let stage = stage();
    let log = format!("rotate:1000,3:{}", stage.path("log").display());
    let mut daemon = program.starts(&stage, &[], &["--stdout", &log])?;
    let line = |number: u32| format!("{number:.>100}");
    for number in 0..20 {
        daemon.ask(&format!("stdout {}", line(number)));
    }
    // It looks as often as it wants to.
    let is_there = || (stage.path("log.1").exists() && stage.path("log").exists()).then_some(());
    let is_rotated = within(WATCH * 5, is_there).is_some();
    daemon.ask(&format!("stdout {}", line(20)));
    let expected: String = (0..=20).map(|number| line(number) + "\n").collect();
    let has_all = stage.read("log.1") + &stage.read("log") == expected;
    let objections = [(!is_rotated).then_some("it is not"), (!has_all).then_some("lines are lost")];
    met_without(&objections, "log.1 and log have every line, in order")
}
