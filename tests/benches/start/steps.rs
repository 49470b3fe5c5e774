//! What the questions cost that the launcher asks beside the double fork, before it forks.

use std::process::{Command, Stdio};

use super::compile::Compiled;
use crate::{Result, quartiles::median, table::Table};

/// In the order in which `programs/steps.c` tells them.
const STEPS: [&str; 5] = ["signals", "descriptors", "parent", "directory, null", "line to leader"];

/// In nanoseconds, one of each a round.
type Times = [Vec<f64>; STEPS.len()];

pub(super) fn measure(compiled: &Compiled, rounds: usize) -> Result<Times> {
    let program = compiled.compile_c("steps")?;
    let mut times = Times::default();
    for _ in 0..rounds {
        let output = Command::new(&program).stdin(Stdio::null()).output()?;
        let told = String::from_utf8(output.stdout)?;
        for (time, told) in times.iter_mut().zip(told.lines()) {
            time.push(told.parse()?);
        }
    }
    Ok(times)
}

pub(super) fn report(times: Times, table: &mut Table) {
    table.heading("questions of the launcher", STEPS);
    table.row("µs", times.map(|times| Some(format!("{:.1}", median(times) / 1e3))));
}
