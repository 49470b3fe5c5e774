//! What came of a start.

use std::{fmt, fs};

use super::{
    case::{Case, Fault},
    run::{Event, Run},
    scene::{Place, Scene},
    whole::{self, Look},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Whole,
    /// The launcher has a complaint, and does what it was asked for.
    WholeBut(String),
    /// The launcher's last line.
    Refused(String),
    /// The program that was started was killed, and nobody is left.
    Ended,
    /// The daemon was killed when it was ready already.
    WasReady,
    /// The call was not made this time, or who was to be killed had left.
    Unreached,
}

/// What a whole daemon of a scene looks like, and what is there before it starts and after it has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Good {
    before: Look,
    look: Look,
    after: Look,
}

/// A start without a fault, and the calls that it makes.
pub(crate) fn good(scene: &Scene) -> (Good, Vec<String>) {
    let place = scene.place();
    let before = whole::files(&place);
    let mut run = Run::start(scene, &place, &["--list".into()]);
    let is_up = first(&mut run, scene) == Ok(if scene.is_in_foreground() { Event::Main } else { Event::Exit(0) });
    assert!(is_up, "{:?}", run.output());
    let mut daemon = place.stage.daemon();
    let look = whole::look(scene, &place, &mut daemon);
    daemon.send("exit 0");
    run.reach_end().expect("the end");
    (Good { before, look, after: whole::files(&place) }, run.calls.clone())
}

/// One start with a fault, and nothing left of it.
pub(crate) fn judge(scene: &Scene, place: &Place, good: &Good, case: &Case) -> Result<Outcome, String> {
    let mut start = Start { scene, place, good, case, run: Run::start(scene, place, &case.arguments()) };
    let outcome = start.outcome();
    place.forget();
    for name in ["pid", "log"] {
        start.remove(name);
    }
    match outcome {
        Ok(_) if !start.run.is_hit => Ok(Outcome::Unreached),
        Ok(Outcome::Refused(line)) if case.is_no_failure() && !line.starts_with(BY_THE_C_LIBRARY) => {
            Err(format!("not done again, or waited for: {line}"))
        }
        outcome => outcome,
    }
}

/// It reads the databases of users and groups itself, getpwnam(3).
const BY_THE_C_LIBRARY: &str = "cannot look up ";

struct Start<'place> {
    scene: &'place Scene,
    place: &'place Place,
    good: &'place Good,
    case: &'place Case,
    run: Run,
}

impl Start<'_> {
    fn outcome(&mut self) -> Result<Outcome, String> {
        match (first(&mut self.run, self.scene)?, self.case.fault) {
            (Event::Exit(137), Fault::Kill(victim)) if victim == self.scene.processes()[0] => self.first_killed(),
            (Event::Exit(0), Fault::Kill("daemon")) if !self.case.is_untold => self.daemon_killed(),
            (Event::Main | Event::Exit(0), _) => self.is_whole(),
            (Event::Exit(status), _) => self.is_refused(status),
            (Event::Left | Event::End, _) => Err("the launcher's end was not seen".into()),
        }
    }

    fn is_whole(&mut self) -> Result<Outcome, String> {
        // In the foreground the streams are the daemon's.
        let said = if self.scene.is_in_foreground() { String::new() } else { self.run.output()? };
        let mut daemon = self.place.stage.daemon();
        let look = whole::look(self.scene, self.place, &mut daemon);
        daemon.send("exit 0");
        self.run.reach_end()?;
        whole::same(&self.good.after, &whole::files(self.place))?;
        let mut expected = self.good.look.clone();
        let complains = said.strip_prefix("marked: cannot ").is_some_and(|step| {
            step.starts_with("tell the service manager ") || step.starts_with("report readiness on file descriptor 8: ")
        });
        if complains || self.case.call == "write" || self.case.fault == Fault::Kill(self.scene.processes()[0]) {
            expected.insert("the manager heard".into(), look["the manager heard"].clone());
            whole::same(&expected, &look)?;
            return Ok(if said.is_empty() { Outcome::Whole } else { Outcome::WholeBut(said.trim_end().to_owned()) });
        }
        whole::same(&expected, &look)?;
        if said.is_empty() {
            Ok(Outcome::Whole)
        } else {
            Err(format!("the daemon is whole, and the launcher says {said}"))
        }
    }

    fn is_refused(&mut self, status: i32) -> Result<Outcome, String> {
        self.run.reach_end()?;
        let said = self.run.output()?;
        if said.is_empty() && status == 1 && self.case.keeps_it_silent() {
            whole::same(&self.good.before, &self.left_behind())?;
            return Ok(Outcome::Refused("it cannot say why".into()));
        }
        let lines: Vec<_> = said.lines().collect();
        let (line, above) = lines.split_last().ok_or(format!("the launcher says nothing, and exits with {status}"))?;
        let step = line.strip_prefix("marked: ").ok_or(format!("no line of the program's: {said}"))?;
        // With `notify`, what the daemon itself wrote stands above.
        if !(said.ends_with('\n') && (above.is_empty() || self.scene.has("--notify"))) {
            return Err(format!("more than a line: {said}"));
        }
        if status != status_behind(step) {
            return Err(format!("exit status {status}: {said}"));
        }
        // The launcher of a program that goes on may be killed, by the program itself where that cannot hear it.
        let is_killed = self.case.fault == Fault::Kill("launcher") || step.starts_with("cannot hear from the launcher");
        let left = self.left_behind();
        if left != self.good.before && is_killed {
            self.next_is_whole()?;
        } else {
            whole::same(&self.good.before, &left)?;
        }
        Ok(Outcome::Refused(step.to_owned()))
    }

    /// The launcher spoke first. A daemon that is in `main` already was not reached.
    fn daemon_killed(&mut self) -> Result<Outcome, String> {
        while !self.run.is_in_main {
            if self.run.next()? == Event::End {
                return Ok(Outcome::WasReady);
            }
        }
        self.is_whole()
    }

    /// Who is told nothing gets no daemon; but the leader may have told just before.
    fn first_killed(&mut self) -> Result<Outcome, String> {
        while !self.run.is_left {
            if self.run.next()? == Event::End {
                if self.left_behind() != self.good.before {
                    self.next_is_whole()?;
                }
                return Ok(Outcome::Ended);
            }
        }
        if self.case.is_untold {
            return Err("it lives, and nobody was told".into());
        }
        self.is_whole()
    }

    /// Where nobody was there yet who could remove what the launcher had created, it is in nobody's way.
    fn next_is_whole(&mut self) -> Result<(), String> {
        let files = whole::files(self.place);
        if self.case.has_leader {
            return Err(format!("left behind: {files:?}"));
        }
        // An owner that it has not got yet is not given to the log later: an existing one keeps its own.
        let log = files.get("file log").filter(|log| log.ends_with(" 100640"));
        if log.is_some() && log != self.good.after.get("file log") {
            self.remove("log");
        }
        self.place.forget(); // `setup` may have reported
        self.run = Run::start(self.scene, self.place, &[]);
        self.run.is_hit = true;
        first(&mut self.run, self.scene)?;
        self.is_whole().map_err(|error| format!("the next start: {error}")).map(drop)
    }

    /// A log to which the daemon wrote stays, as it was created.
    fn left_behind(&self) -> Look {
        let mut files = whole::files(self.place);
        if !self.place.stage.read("log").is_empty() && files.get("file log") == self.good.after.get("file log") {
            files.remove("file log");
            self.remove("log");
        }
        files
    }

    fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.place.stage.path(name));
    }
}

/// The launcher's end, or in the foreground the beginning of `main`.
fn first(run: &mut Run, scene: &Scene) -> Result<Event, String> {
    loop {
        match run.next()? {
            Event::Left => {}
            Event::Main if !scene.is_in_foreground() => {}
            event => return Ok(event),
        }
    }
}

/// As a shell puts it, where the line tells how a process ended; 1 for every step that failed.
fn status_behind(line: &str) -> i32 {
    let ends_with = |words: &str| line.rsplit_once(words)?.1.split(' ').next()?.parse::<i32>().ok();
    match (ends_with(": signal: "), ends_with(": exit status: ")) {
        (Some(signal), _) => 128 + signal,
        (None, Some(status)) if status != 0 => status,
        _ => 1,
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => formatter.write_str("whole"),
            Self::WholeBut(line) => write!(formatter, "whole; {line}"),
            Self::Refused(line) => formatter.write_str(line),
            Self::Ended => formatter.write_str("nobody is left"),
            Self::WasReady => formatter.write_str("it was ready before"),
            Self::Unreached => formatter.write_str("not reached"),
        }
    }
}
