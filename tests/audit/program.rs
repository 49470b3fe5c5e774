//! The program under audit, and its starts.

use std::{
    convert,
    ffi::OsString,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use support::{Daemon, Launch, Launcher, Process, Stage, within};

use crate::{
    tools::Tool,
    verdict::{Objection, not_applicable, not_met},
};

/// How long anything may take that is expected to happen at once.
pub(crate) const SOON: Duration = support::DEADLINE;

/// How long to look for what should not happen.
pub(crate) const WATCH: Duration = Duration::from_secs(1);

/// How often to look who is there, which is a look at every process of the system.
const LOOK: Duration = Duration::from_millis(50);

/// The program has no such option. No library exits with it: some have the statuses of sysexits.h.
pub(crate) const UNKNOWN_OPTION: i32 = 99;

/// A command that starts a daemon.
pub(crate) struct Program {
    command: Vec<OsString>,
    tool: Option<Tool>,
    /// tests/programs/arrange.rs
    arrange: PathBuf,
    wait: OnceLock<&'static [&'static str]>,
}

impl Program {
    /// One that takes the options of the audit.
    pub(crate) fn new(command: Vec<OsString>, arrange: PathBuf) -> Self {
        Self { command, tool: None, arrange, wait: OnceLock::new() }
    }

    /// One by a tool.
    pub(crate) fn by(tool: Tool, command: Vec<OsString>, arrange: PathBuf) -> Self {
        Self { tool: Some(tool), ..Self::new(command, arrange) }
    }

    /// Whether no two of its starts may be looked at at a time.
    pub(crate) fn runs_alone(&self) -> bool {
        self.tool.as_ref().is_some_and(|tool| tool.runs_alone)
    }

    /// A program of the auditor's.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.arrange.with_file_name(name)
    }

    /// The command with these options.
    pub(crate) fn words(&self, options: &[&str]) -> Result<Vec<OsString>, Objection> {
        let mut words = self.command.clone();
        match &self.tool {
            None => words.extend(options.iter().map(OsString::from)),
            Some(tool) => words.extend(tool.arguments(options).map_or_else(no_option, Ok)?),
        }
        Ok(words)
    }

    /// The command, launched in that stage as the arrangement says.
    pub(crate) fn command(&self, stage: &Stage, arrangement: &[&str], options: &[&str]) -> Result<Command, Objection> {
        let mut command = stage.command(&self.arrange);
        command.args(arrangement).arg("--").args(self.words(options)?);
        Ok(command)
    }

    /// The same, by a script of sh, as its `"$@"`.
    pub(crate) fn in_script(
        &self,
        stage: &Stage,
        arrangement: &[&str],
        script: &str,
        options: &[&str],
    ) -> Result<Command, Objection> {
        let mut command = stage.command(&self.arrange);
        command.args(arrangement).args(["--", "sh", "-c", script, "sh"]).args(self.words(options)?);
        Ok(command)
    }

    /// The daemon of a start that succeeds.
    pub(crate) fn starts(&self, stage: &Stage, arrangement: &[&str], options: &[&str]) -> Result<Daemon, Objection> {
        let mut launcher = Spawned::silent(stage, &mut self.command(stage, arrangement, options)?);
        match launcher.status_within(SOON) {
            None => not_met("the launcher does not end"),
            Some(0) => main_begins(stage),
            Some(status) if has_no_option(status, &stage.read("output")) => no_option(),
            Some(_) => match main_begins(stage) {
                Ok(_) => not_met("main begins, and the launcher fails"),
                Err(_) => not_met("it does not start, and the launcher says so"),
            },
        }
    }

    /// The daemon of a start with these options, or without them where the program does not have them.
    pub(crate) fn starts_if_possible_with(
        &self,
        stage: &Stage,
        arrangement: &[&str],
        options: &[&str],
    ) -> Result<Daemon, Objection> {
        match self.starts(stage, arrangement, options) {
            Err(Objection::NotApplicable(_)) => self.starts(stage, arrangement, &[]),
            start => start,
        }
    }

    /// A start, and what the launcher told.
    pub(crate) fn launch(&self, stage: &Stage, options: &[&str]) -> Result<Launch, Objection> {
        let launch = end(stage.start(&mut self.command(stage, &[], options)?))?;
        if has_no_option(launch.status, &launch.stderr) { no_option() } else { Ok(launch) }
    }

    /// A launcher that was told to wait, where there is an option for that, and the daemon, which is not ready.
    pub(crate) fn is_starting(&self, stage: &Stage, options: &[&str]) -> Result<(Launcher, Daemon), Objection> {
        let mut command = self.command(stage, &["--default", "SIGINT"], &[self.wait(), options].concat())?;
        let launcher = stage.start(&mut command);
        match main_begins(stage) {
            Ok(daemon) => Ok((launcher, daemon)),
            Err(objection) => match end(launcher) {
                Ok(launch) if has_no_option(launch.status, &launch.stderr) => no_option(),
                _ => Err(objection),
            },
        }
    }

    /// Whether there is an option to wait until the daemon is ready.
    pub(crate) fn waits(&self) -> bool {
        !self.wait().is_empty()
    }

    /// The options to wait until the daemon is ready, and not for ever: those of them that there are.
    fn wait(&self) -> &'static [&'static str] {
        const ALL: &[&str] = &["--notify", "--start-timeout", "3000"];
        self.wait.get_or_init(|| [ALL, &ALL[..1]].into_iter().find(|options| self.has(options)).unwrap_or_default())
    }

    /// Whether there are these options.
    fn has(&self, options: &[&str]) -> bool {
        let stage = stage();
        let Ok(mut command) = self.command(&stage, &[], options) else { return false };
        let mut launcher = Spawned::silent(&stage, &mut command);
        let status = launcher.status_or_main(&stage);
        status.is_none_or(|status| !has_no_option(status, &stage.read("output")))
    }

    /// The same by a copy of the program's file in that stage, where another version of it can be put, and its path.
    pub(crate) fn copied_to(&self, stage: &Stage) -> Result<(Self, PathBuf), Objection> {
        let last = self.tool.as_ref().and_then(|tool| tool.last.last());
        let file = last.or_else(|| self.command.last()).cloned().unwrap_or_default();
        if !Path::new(&file).is_absolute() {
            return not_met("its file is not known");
        }
        let copy = stage.copy(&file);
        let copied = |words: &[OsString]| -> Vec<OsString> {
            words.iter().map(|word| if *word == file { copy.clone().into() } else { word.clone() }).collect()
        };
        let tool = self.tool.clone().map(|tool| Tool { last: copied(&tool.last), ..tool });
        Ok((Self { tool, ..Self::new(copied(&self.command), self.arrange.clone()) }, copy))
    }
}

/// A stage into which a user that the daemon becomes may look, too.
pub(crate) fn stage() -> Stage {
    let stage = Stage::new();
    for (path, mode) in [(stage.directory().to_owned(), 0o755), (stage.path("probe.socket"), 0o777)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("change a mode");
    }
    stage
}

/// What became of a launcher. Once it has ended, everybody else has a moment to close its output.
pub(crate) fn end(launcher: Launcher) -> Result<Launch, Objection> {
    if !ends(launcher.process) {
        return not_met("the launcher does not end");
    }
    Ok(launcher.end_within(WATCH).unwrap_or_else(convert::identity))
}

/// The daemon, when it is in `main`.
pub(crate) fn main_begins(stage: &Stage) -> Result<Daemon, Objection> {
    // A process in the middle of an exec is not seen: one look at nobody tells nothing.
    let mut looks_at_nobody = 0;
    let mut daemon = None;
    looking_around(SOON, || {
        daemon = stage.daemon_within(Duration::ZERO);
        looks_at_nobody = if stage.processes().is_empty() { looks_at_nobody + 1 } else { 0 };
        daemon.is_some() || looks_at_nobody == 10
    });
    daemon.map_or_else(|| not_met("main does not begin"), Ok)
}

/// Whether nobody of a start is left, or is soon.
pub(crate) fn nobody_is_left(stage: &Stage) -> bool {
    looking_around(WATCH, || stage.processes().is_empty())
}

/// Whether that is so in that time.
pub(crate) fn looking_around(time: Duration, mut look: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + time;
    loop {
        let is_so = look();
        if is_so || Instant::now() >= end {
            return is_so;
        }
        thread::sleep(LOOK);
    }
}

/// Whether it ends soon.
pub(crate) fn ends(process: Process) -> bool {
    within(SOON, || (!process.is_alive()).then_some(())).is_some()
}

/// A child that is killed when this is dropped.
pub(crate) struct Spawned(Child);

impl Spawned {
    pub(crate) fn new(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}")))
    }

    /// A child that writes to a file, `output` in the stage.
    pub(crate) fn silent(stage: &Stage, command: &mut Command) -> Self {
        let output = stage.create("output");
        Self::new(command.stdout(output.try_clone().expect("a descriptor")).stderr(output))
    }

    pub(crate) fn process(&self) -> Process {
        Process(self.0.id().cast_signed())
    }

    /// Its status, if it ends in that time; -1 where a signal ended it.
    pub(crate) fn status_within(&mut self, time: Duration) -> Option<i32> {
        let status = within(time, || self.0.try_wait().expect("wait for a child"));
        status.map(|status| status.code().unwrap_or(-1))
    }

    /// Its status, if it ends before `main` begins.
    pub(crate) fn status_or_main(&mut self, stage: &Stage) -> Option<i32> {
        let end = within(SOON, || {
            let status = self.status_within(Duration::ZERO);
            (status.is_some() || !stage.no_daemon_reported()).then_some(status)
        });
        end.flatten()
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn has_no_option(status: i32, said: &str) -> bool {
    status == UNKNOWN_OPTION || said.contains("unknown option")
}

pub(crate) fn no_option<T>() -> Result<T, Objection> {
    not_applicable("it has no option for it")
}
