//! Steps 1 to 11 of daemon(7): the surroundings of a daemon.

use std::{env, fs};

use nix::sys::signal::Signal;
use support::{Daemon, Process, Stage, Terminal, within};

use crate::{
    program::{Program, SOON, Spawned, WATCH, looking_around, stage},
    verdict::{Objection, Verdict, judge, met, met_without, not_met},
};

/// What may be ignored at a launch: by nohup(1), by a shell for what runs in its background, by a careless parent.
const IGNORED: [Signal; 5] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGUSR1];

/// Bits of proc(5): from the first real-time signal on that programs may use, signal(7).
const REAL_TIME: u64 = u64::MAX << 33;

pub(crate) fn descriptors(program: &Program) -> Verdict {
    let stage = stage();
    let inherited = stage.path("inherited");
    let arrangement = [9, 500].map(|number| format!("{number}={}", inherited.display()));
    let daemon = program.starts(&stage, &["--fd", &arrangement[0], "--fd", &arrangement[1]], &[])?;
    let open = [9, 500].into_iter().filter(|&number| daemon.process.descriptor(number).as_ref() == Some(&inherited));
    match open.map(|number| number.to_string()).collect::<Vec<_>>() {
        open if open.is_empty() => met("neither 9 nor 500 is open"),
        open => not_met(format!("open: {}", open.join(", "))),
    }
}

pub(crate) fn ignored_signals(program: &Program) -> Verdict {
    let stage = stage();
    let arrangement: Vec<_> = IGNORED.iter().flat_map(|signal| ["--ignore", signal.as_str()]).collect();
    let daemon = program.starts(&stage, &arrangement, &[])?;
    let set = signals(&daemon, "SigIgn")?;
    match IGNORED.iter().filter(|&&signal| set & bit(signal) != 0).map(|signal| signal.as_str()).collect::<Vec<_>>() {
        still if still.is_empty() => met("none is ignored"),
        still => not_met(format!("ignored: {}", still.join(", "))),
    }
}

pub(crate) fn ignored_real_time_signals(program: &Program) -> Verdict {
    let stage = stage();
    let daemon = program.starts(&stage, &["--ignore-real-time"], &[])?;
    let still = (signals(&daemon, "SigIgn")? & REAL_TIME).count_ones();
    judge(still == 0, format!("{still} are ignored"))
}

pub(crate) fn ignored_sigchld(program: &Program) -> Verdict {
    let stage = stage();
    let daemon = program.starts(&stage, &["--ignore", "SIGCHLD"], &[])?;
    let is_ignored = signals(&daemon, "SigIgn")? & bit(Signal::SIGCHLD) != 0;
    judge(!is_ignored, if is_ignored { "it is ignored" } else { "it is not ignored" })
}

pub(crate) fn mask(program: &Program) -> Verdict {
    let stage = stage();
    let daemon = program.starts(&stage, &["--block-all"], &[])?;
    let blocked = signals(&daemon, "SigBlk")?.count_ones();
    judge(blocked == 0, if blocked == 0 { "none is blocked" } else { "signals are blocked" })
}

pub(crate) fn chosen_variables(program: &Program) -> Verdict {
    let stage = stage();
    let socket = format!("PROBE_SOCKET={}", stage.path("probe.socket").display());
    let mut daemon = program.starts(&stage, &[], &["--variable", "CHOSEN=value", "--variable", &socket])?;
    let has_chosen = daemon.ask("variable CHOSEN") == "value";
    let has_others = env::var("PATH").is_ok_and(|path| daemon.ask("variable PATH") == path);
    let objections =
        [(!has_chosen).then_some("the one that was named is not there"), has_others.then_some("PATH is there")];
    met_without(&objections, "the one that was named is there, and PATH is not")
}

pub(crate) fn background(program: &Program) -> Verdict {
    let stage = stage();
    let daemon = program.starts(&stage, &[], &[])?;
    judge(daemon.process.is_alive(), "main runs after the launcher's end")
}

/// Launched by a shell on a terminal, as by a person.
pub(crate) fn session(program: &Program) -> Verdict {
    let stage = stage();
    let terminal = Terminal::open();
    let arrangement = ["--terminal", &terminal.path.display().to_string()];
    let script = "\"$@\"; echo $? >status; exec sleep 1000";
    let shell = Spawned::new(&mut program.in_script(&stage, &arrangement, script, &[])?);
    let status = within(SOON, || Some(stage.read("status")).filter(|status| status.ends_with('\n')));
    if status.as_deref() != Some("0\n") {
        return not_met("it does not start");
    }
    let Some(daemon) = stage.daemon_within(SOON) else { return not_met("main does not begin") };
    if number(daemon.process, 6)? == shell.process().0 {
        return not_met("its session is that of the shell");
    }
    let controlling_terminal = number(daemon.process, 7)?;
    judge(controlling_terminal == 0, "its session is its own; no terminal controls it")
}

pub(crate) fn later_terminal(program: &Program) -> Verdict {
    let stage = stage();
    let mut daemon = program.starts(&stage, &[], &[])?;
    let terminal = Terminal::open();
    daemon.ask(&format!("open-terminal {}", terminal.path.display()));
    match number(daemon.process, 7)? {
        0 => met("a terminal that it opens does not control it"),
        _ => not_met("it leads its session: a terminal that it opens controls it"),
    }
}

pub(crate) fn parent(program: &Program) -> Verdict {
    let stage = stage();
    let daemon = program.starts(&stage, &[], &[])?;
    // The auditor takes the place of process 1 for orphans, prctl(2) PR_SET_CHILD_SUBREAPER.
    let is_adopted = || daemon.process.stat(4) == Some(Process::own().0.to_string());
    match looking_around(WATCH, || is_adopted() && stage.processes() == [daemon.process]) {
        true => met("it is adopted, and nobody else is left"),
        false if is_adopted() => not_met("another process of the start is left"),
        false => not_met("its parent is another process of the start"),
    }
}

pub(crate) fn null_streams(program: &Program) -> Verdict {
    let stage = stage();
    let daemon = program.starts(&stage, &[], &[])?;
    are_null(&daemon)
}

pub(crate) fn closed_streams(program: &Program) -> Verdict {
    let stage = stage();
    let daemon = program.starts(&stage, &["--close", "0", "--close", "1", "--close", "2"], &[])?;
    are_null(&daemon)
}

pub(crate) fn closed_streams_and_log(program: &Program) -> Verdict {
    let stage = stage();
    let arrangement = ["--close", "0", "--close", "1", "--close", "2"];
    let mut daemon = program.starts(&stage, &arrangement, &["--stdout", &stage.path("log").display().to_string()])?;
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    has_log(&stage, "one\ntwo\n")
}

pub(crate) fn log(program: &Program) -> Verdict {
    let stage = stage();
    fs::write(stage.path("log"), "old\n").expect("write a log");
    let mut daemon = program.starts(&stage, &[], &["--stdout", &stage.path("log").display().to_string()])?;
    daemon.ask("stdout one");
    daemon.ask("stderr two");
    has_log(&stage, "old\none\ntwo\n")
}

pub(crate) fn umask(program: &Program) -> Verdict {
    let stage = stage();
    let daemon = program.starts_if_possible_with(&stage, &["--umask", "077"], &["--umask", "000"])?;
    let umask = daemon.process.status("Umask").unwrap_or_default();
    judge(umask == "0000", format!("it is {umask}"))
}

pub(crate) fn directory(program: &Program) -> Verdict {
    let stage = stage();
    let daemon = program.starts(&stage, &[], &[])?;
    let directory = fs::read_link(format!("/proc/{}/cwd", daemon.process.0)).unwrap_or_default();
    match directory {
        directory if directory.as_os_str() == "/" => met("it is /"),
        directory if directory == stage.directory() => not_met("it is that of the launch"),
        _ => not_met("it is another one"),
    }
}

fn are_null(daemon: &Daemon) -> Verdict {
    let is_null = |&number: &i32| daemon.process.descriptor(number).is_some_and(|path| path.as_os_str() == "/dev/null");
    match (0..=2).filter(|number| !is_null(number)).map(|number| number.to_string()).collect::<Vec<_>>() {
        others if others.is_empty() => met("0, 1 and 2 are /dev/null"),
        others => not_met(format!("not /dev/null: {}", others.join(", "))),
    }
}

fn has_log(stage: &Stage, expected: &str) -> Verdict {
    let lines = |text: &str| text.trim_end().replace('\n', ", ");
    let has_all = within(WATCH, || (stage.read("log") == expected).then_some(())).is_some();
    match stage.read("log") {
        text if text.is_empty() => not_met("the log is empty"),
        text => judge(has_all, format!("the log has: {}", lines(&text))),
    }
}

fn signals(daemon: &Daemon, key: &str) -> Result<u64, Objection> {
    let set = daemon.process.status(key).and_then(|set| u64::from_str_radix(&set, 16).ok());
    set.map_or_else(|| not_met("it has ended"), Ok)
}

fn bit(signal: Signal) -> u64 {
    1 << (signal as i32 - 1)
}

/// A number among the fields of /proc/PID/stat, proc(5).
fn number(process: Process, field: usize) -> Result<i32, Objection> {
    process.stat(field).and_then(|value| value.parse().ok()).map_or_else(|| not_met("it has ended"), Ok)
}
