//! Steps 14 and 15 of daemon(7), and the contract: what the launcher tells who started it.

use nix::sys::signal::Signal;
use support::{Launch, Stage, within};

use crate::{
    pidfile,
    program::{Program, SOON, WATCH, end, ends, nobody_is_left, stage},
    verdict::{Objection, Verdict, judge, met, met_without, not_applicable, not_met},
};

/// An exit status that no library has a reason to make up.
const STATUS: i32 = 7;

/// A start that cannot succeed.
struct Failing {
    option: &'static str,
    value: &'static str,
    /// One of them is in whatever line that names the step.
    step: &'static [&'static str],
}

const LOG: Failing = Failing { option: "--stdout", value: "missing/log", step: &["log", "stdout", "output"] };
const PIDFILE: Failing = Failing { option: "--pidfile", value: "missing/pid", step: &["pid"] };
const DIRECTORY: Failing = Failing { option: "--chdir", value: "missing/place", step: &["director", "chdir", "place"] };
const USER: Failing = Failing { option: "--user", value: "no-such-one", step: &["user", "no-such-one"] };

pub(crate) fn waits(program: &Program) -> Verdict {
    let stage = stage();
    let (launcher, _daemon) = program.is_starting(&stage, &[])?;
    let has_ended = within(WATCH, || (!launcher.process.is_alive()).then_some(())).is_some();
    judge(!has_ended, if has_ended { "it ends before" } else { "it waits" })
}

pub(crate) fn ends_when_ready(program: &Program) -> Verdict {
    let stage = stage();
    let (launcher, mut daemon) = program.is_starting(&stage, &[])?;
    daemon.ask("ready");
    let launch = end(launcher)?;
    judge(launch.status == 0, format!("exit status {}", launch.status))
}

pub(crate) fn output_is_closed(program: &Program) -> Verdict {
    let stage = stage();
    let launcher = stage.start(&mut program.command(&stage, &[], &[])?);
    let _ended = within(SOON, || (!launcher.process.is_alive()).then_some(()));
    let Ok(launch) = launcher.end_within(WATCH) else { return not_met("the daemon holds the output open") };
    let objections = [
        (launch.status != 0).then_some("it does not start"),
        (!launch.stdout.is_empty() || !launch.stderr.is_empty()).then_some("something is said"),
    ];
    met_without(&objections, "it ends, and nothing is said")
}

pub(crate) fn buffered_output(program: &Program) -> Verdict {
    let stage = stage();
    let log = stage.path("log").display().to_string();
    let launch = match program.launch(&stage, &["--print", "text", "--stdout", &log]) {
        Err(Objection::NotApplicable(_)) => program.launch(&stage, &["--print", "text"])?,
        launch => launch?,
    };
    let Some(mut daemon) = stage.daemon_within(WATCH) else { return not_met("main does not begin") };
    daemon.send("return"); // what was left in a buffer is written now
    if !ends(daemon.process) {
        return not_met("it does not end");
    }
    let [output, log] = [launch.stdout, stage.read("log")].map(|text| text.matches("text").count());
    judge((output, log) == (1, 0), format!("copies: {output} on the output, {log} in the log"))
}

pub(crate) fn second_thread(program: &Program) -> Verdict {
    let stage = stage();
    match program.launch(&stage, &["--thread"])? {
        launch if launch.status == 0 => not_met("it starts, and the thread is gone"),
        launch if launch.stderr.contains("thread") => met("it does not start, and the launcher says why"),
        _ => not_met("it does not start, and the launcher does not say why"),
    }
}

pub(crate) fn log_that_cannot_be_opened(program: &Program) -> Verdict {
    tells(program, &LOG)
}

pub(crate) fn pidfile_that_cannot_be_created(program: &Program) -> Verdict {
    tells(program, &PIDFILE)
}

pub(crate) fn directory_that_is_missing(program: &Program) -> Verdict {
    tells(program, &DIRECTORY)
}

pub(crate) fn user_that_is_unknown(program: &Program) -> Verdict {
    tells(program, &USER)
}

/// The launcher tells that a start failed, and at which step.
fn tells(program: &Program, failing: &Failing) -> Verdict {
    let stage = stage();
    let launch = launch(program, &stage, failing)?;
    let said = said(&launch);
    let objections = [
        (launch.status == 0).then_some("exit status 0"),
        said.is_empty().then_some("nothing is said"),
        (!said.is_empty() && !failing.step.iter().any(|step| said.contains(step))).then_some("the step is not named"),
        (!nobody_is_left(&stage)).then_some("a process is left"),
    ];
    met_without(&objections, "the exit status is not 0, the step is named, nobody is left")
}

pub(crate) fn objects(program: &Program) -> Verdict {
    let mut is_asked = false;
    let mut unnamed = Vec::new();
    for failing in [&LOG, &PIDFILE, &DIRECTORY, &USER] {
        let launch = match launch(program, &stage(), failing) {
            Err(Objection::NotApplicable(_)) => continue,
            launch => launch?,
        };
        is_asked = true;
        // That of a path which is missing will do.
        let object =
            failing.value.split_once('/').map_or(failing.value.into(), |(directory, _)| format!("/{directory}"));
        if !said(&launch).contains(&object) {
            unnamed.push(failing.option.trim_start_matches("--"));
        }
    }
    match unnamed[..] {
        _ if !is_asked => not_applicable("it has no option that can fail"),
        [] => met("each is named"),
        _ => not_met(format!("not for: {}", unnamed.join(", "))),
    }
}

/// Paths are in a directory of the stage that is not there.
fn launch(program: &Program, stage: &Stage, failing: &Failing) -> Result<Launch, Objection> {
    let path = stage.path(failing.value).display().to_string();
    let is_path = failing.value.contains('/');
    program.launch(stage, &[failing.option, if is_path { &path } else { failing.value }])
}

fn said(launch: &Launch) -> String {
    [launch.stdout.trim(), launch.stderr.trim()].concat()
}

pub(crate) fn death_before_ready(program: &Program) -> Verdict {
    judge_status_of_death(program, |status| status != 0)
}

pub(crate) fn status_of_the_daemon(program: &Program) -> Verdict {
    judge_status_of_death(program, |status| status == STATUS)
}

fn judge_status_of_death(program: &Program, is_right: fn(i32) -> bool) -> Verdict {
    let stage = stage();
    let (launcher, mut daemon) = program.is_starting(&stage, &[])?;
    daemon.send(&format!("exit {STATUS}"));
    let launch = end(launcher)?;
    judge(is_right(launch.status), format!("exit status {}", launch.status))
}

pub(crate) fn last_words(program: &Program) -> Verdict {
    let stage = stage();
    let (launcher, mut daemon) = program.is_starting(&stage, &[])?;
    daemon.ask("stderr no luck");
    daemon.send(&format!("exit {STATUS}"));
    let is_shown = end(launcher)?.stderr.contains("no luck");
    judge(is_shown, if is_shown { "it is shown" } else { "it is not shown" })
}

pub(crate) fn children_of_the_dead(program: &Program) -> Verdict {
    let stage = stage();
    let (launcher, mut daemon) = program.is_starting(&stage, &[])?;
    daemon.ask("spawn");
    daemon.send(&format!("exit {STATUS}"));
    end(launcher)?;
    let is_over = nobody_is_left(&stage);
    judge(is_over, if is_over { "nobody is left" } else { "its child is left" })
}

pub(crate) fn pidfile_after_a_failure(program: &Program) -> Verdict {
    let stage = stage();
    let (launcher, mut daemon) = program.is_starting(&stage, &["--pidfile", &pidfile::path(&stage)])?;
    daemon.send(&format!("exit {STATUS}"));
    end(launcher)?;
    if !nobody_is_left(&stage) {
        return not_met("a process is left");
    }
    let _daemon = pidfile::starts(program, &stage)?;
    met("the next start succeeds")
}

pub(crate) fn timeout(program: &Program) -> Verdict {
    let stage = stage();
    if !program.waits() {
        return not_applicable("it does not wait");
    }
    let (launcher, _daemon) = program.is_starting(&stage, &["--start-timeout", "1000"])?;
    let launch = end(launcher)?;
    let objections =
        [(launch.status == 0).then_some("exit status 0"), (!nobody_is_left(&stage)).then_some("the daemon is left")];
    met_without(&objections, "the exit status is not 0, and nobody is left")
}

/// May end at once, or as soon as it is ready and finds no launcher to tell.
pub(crate) fn interrupt(program: &Program) -> Verdict {
    let stage = stage();
    if !program.waits() {
        return not_applicable("it does not wait");
    }
    let (launcher, mut daemon) = program.is_starting(&stage, &[])?;
    launcher.process.signal(Signal::SIGINT);
    end(launcher)?;
    if nobody_is_left(&stage) {
        return met("nobody is left");
    }
    if daemon.process.is_alive() {
        daemon.send("ready");
    }
    let is_over = nobody_is_left(&stage);
    judge(is_over, if is_over { "it ends when it is ready" } else { "the daemon is left" })
}
