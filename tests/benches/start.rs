//! A start: how long it takes, and what it leaves in memory, in the binary and in the build.

mod clean_build;
mod compile;
mod descendants;
mod idle;
mod instructions;
mod program;
mod size;
mod steps;
mod timing;

use self::{compile::Compiled, program::PROGRAMS};
use crate::{Result, table::Table};

pub(crate) fn measure(quick: bool, table: &mut Table) -> Result<()> {
    let (rounds, repetitions) = if quick { (50, 1) } else { (1000, 3) };
    let compiled = Compiled::new()?;
    let _adopted = descendants::adopt()?;
    let times = timing::measure(&compiled, rounds)?;
    let steps = steps::measure(&compiled, rounds)?;
    let instructions = instructions::measure(&compiled)?;
    let idle = idle::measure(&compiled, repetitions)?;
    let sizes = size::measure(&compiled)?;
    let builds = clean_build::measure(repetitions)?;

    table.heading(&format!("start ({rounds} rounds)"), PROGRAMS.map(|program| program.title));
    timing::report(&times, table);
    instructions::report(&instructions, table);
    size::report(&sizes, table);
    idle::report(&idle, table);
    clean_build::report(&builds, table);
    steps::report(steps, table);
    Ok(())
}
