//! A daemon that ended is started again by its supervisor, from the memory that `setup` left.

mod ends;
mod load;
mod logs;
mod pidfile;
pub(super) mod processes;
mod ready;
mod refused;
mod supervisor;
mod unready;

use std::{env, process::Command};

use support::{Daemon, Process, Stage, eventually};

use crate::PROBE;

/// Without a limit, and at once.
const AT_ONCE: &str = "on-failure,1000000,60000,1,1";

/// How often: so many times, or as the environment says.
fn times(few: usize) -> usize {
    env::var("RESPAWNS").ok().and_then(|times| times.parse().ok()).unwrap_or(few)
}

fn probe(stage: &Stage, options: &[&str]) -> Command {
    let mut command = stage.command(PROBE);
    command.args(["--respawn", AT_ONCE, "--stdout", "log"]).args(options);
    command
}

/// What stands in its pidfile: of the same length for each supervisor, so that an upgrade changes it by one write.
pub(super) fn content(supervisor: Process) -> String {
    format!("{:\n<9}", supervisor.0)
}

/// The process that forked the daemon.
pub(super) fn supervisor(daemon: &Daemon) -> Process {
    Process(daemon.process.parent())
}

fn both_end(daemon: &Daemon, supervisor: Process) {
    eventually("the end of both", || (!daemon.process.is_alive() && !supervisor.is_alive()).then_some(()));
}
