//! One running daemon, which the pidfile names.

mod attacks;
mod control;
mod lock;
mod obey;
mod torture;

use std::process::Command;

use support::{Daemon, Stage};

use crate::PROBE;

fn probe(stage: &Stage) -> Command {
    let mut command = stage.command(PROBE);
    command.args(["--pidfile", "pid"]);
    command
}

fn started(stage: &Stage) -> Daemon {
    stage.started(&mut probe(stage))
}
