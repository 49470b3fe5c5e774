//! The probe, with a mark where Rust's runtime has started and the first instruction of the start comes. With `--spawn`
//! first it is a program that goes on, and tells what came of its daemon as a launcher would; with `--start`, one that
//! becomes the daemon without the attribute.

use std::{
    env,
    process::{self, ExitCode},
};

use daemon_rt::Daemon;
use support::Mark;

#[allow(dead_code, reason = "it is a program of its own")]
#[path = "probe.rs"]
mod probe;

fn main() -> ExitCode {
    Mark::Start.set();
    let mut arguments = env::args().skip(1).peekable();
    let Some(way) = arguments.next_if(|first| first == "--spawn" || first == "--start") else { return probe::main() };
    let mut daemon = Daemon::new();
    Mark::Setup.set();
    let kept = probe::obey_command_line(&mut daemon, arguments).unwrap_or_else(|error| {
        eprintln!("marked: {error:#}");
        process::exit(1)
    });
    Mark::Start.set();
    if way == "--start" {
        daemon.start().unwrap_or_else(|error| error.exit());
        return probe::serve(kept).unwrap_or(ExitCode::FAILURE);
    }
    match daemon.spawn(|| probe::serve(kept)) {
        Ok(_) => {
            Mark::Setup.set(); // what comes now is no part of it
            ExitCode::SUCCESS
        }
        Err(error) => error.exit(),
    }
}
