//! A process 1 of one's own, to which orphans go, as on a machine that a test had for itself.

use std::{ffi::OsStr, fs, process::Command};

use crate::{Launcher, Process, Stage, eventually};

/// A pid namespace, `pid_namespaces(7)`, whose process 1 waits. It takes root. All that runs in it ends with it.
#[derive(Debug)]
pub struct Machine<'stage> {
    stage: &'stage Stage,
    _unshare: Launcher,
    init: Process,
}

impl<'stage> Machine<'stage> {
    /// Starts process 1, which is an init by its name.
    ///
    /// # Panics
    ///
    /// Panics when the system refuses the namespace.
    #[must_use]
    pub fn start(stage: &'stage Stage) -> Self {
        // By name an init, and it reaps orphans while it waits.
        let script = "printf init >/proc/self/comm; sleep infinity & wait";
        let unshare = stage.start(namespace(stage).args(["sh", "-c", script]));
        let children = format!("/proc/{0}/task/{0}/children", unshare.process.0);
        let init = eventually("process 1", || {
            let child = fs::read_to_string(&children).ok()?.trim().parse().map(Process).ok()?;
            (child.name() == "init").then_some(child) // /proc is mounted by then
        });
        Self { stage, _unshare: unshare, init }
    }

    /// A shell in it that runs a script, and waits for the last command, too: its children have a parent here.
    #[must_use]
    pub fn shell(&self, script: &str) -> Command {
        let mut command = self.enter();
        command.args(["sh", "-c", &format!("{script}\nexit $?"), "sh"]);
        command
    }

    /// Joins it from outside, as a container's engine and `kubectl exec` do: the parent of what follows is not seen.
    #[must_use]
    pub fn enter(&self) -> Command {
        let mut command = self.stage.command("nsenter");
        command.args(["--target", &self.init.0.to_string(), "--pid", "--mount"]);
        command.arg(format!("--wdns={}", self.stage.directory().display())).arg("--");
        command
    }

    /// The process to which orphans go.
    #[must_use]
    pub fn init(&self) -> Process {
        self.init
    }
}

impl Stage {
    /// A program that is process 1 of a pid namespace of its own.
    #[must_use]
    pub fn first_process(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = namespace(self);
        command.arg(program);
        command
    }
}

fn namespace(stage: &Stage) -> Command {
    let mut command = stage.command("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child", "--"]);
    command
}
