//! Programs that see other file systems than everybody else.

use std::process::Command;

use support::Stage;

/// A program after that script, in a mount namespace of its own.
pub(crate) fn behind(stage: &Stage, script: &str, program: &str) -> Command {
    let mut command = stage.command("unshare");
    let script = format!("{script} && exec \"$@\"");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh", program]);
    command
}
