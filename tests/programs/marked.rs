//! The probe, with a mark where Rust's runtime has started and the first instruction of the start comes.

use std::process::ExitCode;

use support::Mark;

#[path = "probe.rs"]
mod probe;

fn main() -> ExitCode {
    Mark::Start.set();
    probe::main()
}
