//! Programs that see other file systems than everybody else.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use support::{Process, Stage};

/// A program after that script, in a mount namespace of its own.
pub(crate) fn behind(stage: &Stage, script: &str, program: &str) -> Command {
    let mut command = stage.command("unshare");
    let script = format!("{script} && exec \"$@\"");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh", program]);
    command
}

/// A path as that process sees it.
pub(crate) fn seen_by(process: Process, path: &Path) -> PathBuf {
    Path::new(&format!("/proc/{}/root", process.0)).join(path.strip_prefix("/").expect("an absolute path"))
}

/// Runs a command where that process is.
pub(crate) fn beside(process: Process, command: &[&str]) {
    let mut enter = Command::new("nsenter");
    enter.args(["--mount", "--target", &process.0.to_string()]).args(command);
    assert!(enter.status().expect("start nsenter").success(), "{command:?}");
}
