//! The end of a daemon: by a signal, and by the command that stops it.

use std::{fs, mem, process::Command};

use nix::sys::signal::Signal;
use support::{Daemon, Launch, Stage, within};

use crate::{
    pidfile::{self, is_removed, path},
    program::{
        Program, SOON, Spawned, UNKNOWN_OPTION, WATCH, ends, looking_around, main_begins, no_option, nobody_is_left,
        stage,
    },
    verdict::{Objection, Verdict, judge, met, met_without, not_met},
};

pub(crate) fn by_a_signal(program: &Program) -> Verdict {
    let stage = stage();
    let (daemon, named) = pidfile::starts_with(program, &stage, &[])?;
    named.signal(Signal::SIGTERM);
    if !ends(daemon.process) {
        return not_met("it does not end");
    }
    is_removed(&stage)
}

/// `main` learns of the signal, and answers still.
pub(crate) fn in_order(program: &Program) -> Verdict {
    let stage = stage();
    let (mut daemon, named) = pidfile::starts_with(program, &stage, &["--stop-requested"])?;
    daemon.send("await-stop wait");
    named.signal(Signal::SIGTERM);
    let _asked = daemon.answer();
    daemon.ask("variable PATH");
    daemon.send("return");
    if !ends(daemon.process) {
        return not_met("it does not end");
    }
    is_removed(&stage)
}

/// Asked to stop, `main` does not come to its end.
pub(crate) fn within_a_limit(program: &Program) -> Verdict {
    let stage = stage();
    let log = stage.path("log").display().to_string();
    let options = ["--stop-requested", "--stop-timeout", "300", "--stdout", &log];
    let (mut daemon, named) = pidfile::starts_with(program, &stage, &options)?;
    daemon.send("await-stop wait");
    named.signal(Signal::SIGTERM);
    let _asked = daemon.answer();
    let has_ended = ends(daemon.process);
    let objections = [
        (!has_ended).then_some("it does not end"),
        stage.read("log").is_empty().then_some("the log does not say why it ended"),
    ];
    met_without(&objections, "it ends, and the log says why")
}

/// What became of a command for the daemon of that pidfile.
fn obey(program: &Program, stage: &Stage, word: &str) -> Result<Launch, Objection> {
    program.launch(stage, &["--pidfile", &path(stage), "--obey", word])
}

/// A daemon that does not end on SIGTERM.
fn deaf(program: &Program, stage: &Stage) -> Result<Daemon, Objection> {
    match pidfile::starts_with(program, stage, &["--stop-requested"]) {
        Err(Objection::NotApplicable(_)) => {}
        start => {
            let (mut daemon, _) = start?;
            daemon.send("await-stop wait");
            return Ok(daemon);
        }
    }
    let mut daemon = pidfile::starts(program, stage)?;
    obey(program, stage, "status")?; // a program without commands is not started anew
    let file = fs::read_link(format!("/proc/{}/exe", daemon.process.0)).unwrap_or_default();
    daemon.send(&format!("exec-shell trap '' TERM; exec '{}'", file.display()));
    mem::forget(daemon); // it is the same process still, and not to be killed
    main_begins(stage)
}

pub(crate) fn command_waits(program: &Program) -> Verdict {
    let stage = stage();
    let daemon = deaf(program, &stage)?;
    let options = ["--pidfile", &path(&stage), "--obey", "stop"];
    let mut stop = Spawned::silent(&stage, &mut program.command(&stage, &[], &options)?);
    let is_early = stop.status_within(WATCH).is_some() && daemon.process.is_alive();
    daemon.process.signal(Signal::SIGKILL);
    let status = stop.status_within(SOON);
    if status == Some(UNKNOWN_OPTION) {
        return no_option();
    }
    if is_early {
        return not_met("it returns before");
    }
    if status == Some(0) { met("it returns when the daemon has ended") } else { not_met("it does not succeed") }
}

pub(crate) fn command_kills(program: &Program) -> Verdict {
    let stage = stage();
    let _daemon = deaf(program, &stage)?;
    let options = ["--pidfile", &path(&stage), "--stop-timeout", "300", "--obey", "stop"];
    match program.launch(&stage, &options) {
        Err(Objection::NotApplicable(_)) => obey(program, &stage, "stop")?,
        launch => launch?,
    };
    let is_over = nobody_is_left(&stage);
    judge(is_over, if is_over { "it is killed" } else { "it is left" })
}

pub(crate) fn wrong_process(program: &Program) -> Verdict {
    let stage = stage();
    kill(program, &stage)?;
    let other = Spawned::new(Command::new("sleep").arg("1000"));
    fs::write(path(&stage), format!("{}\n", other.process().0)).expect("write a pidfile");
    obey(program, &stage, "stop")?;
    let is_ended = within(WATCH / 2, || (!other.process().is_alive()).then_some(())).is_some();
    judge(!is_ended, if is_ended { "it is ended" } else { "it lives" })
}

pub(crate) fn status(program: &Program) -> Verdict {
    let stage = stage();
    let daemon = pidfile::starts(program, &stage)?;
    let running = obey(program, &stage, "status")?.status;
    for process in stage.processes() {
        process.signal(Signal::SIGKILL);
    }
    drop(daemon);
    if !looking_around(SOON, || stage.processes().is_empty()) {
        return not_met("it cannot be killed");
    }
    let killed = obey(program, &stage, "status")?.status;
    judge(running == 0 && killed != 0, format!("exit status {running}, and {killed} when it was killed"))
}

/// A daemon that was killed, and left its pidfile.
fn kill(program: &Program, stage: &Stage) -> Result<(), Objection> {
    let daemon = pidfile::starts(program, stage)?;
    for process in stage.processes() {
        process.signal(Signal::SIGKILL);
    }
    drop(daemon);
    if nobody_is_left(stage) { Ok(()) } else { not_met("it cannot be killed") }
}
