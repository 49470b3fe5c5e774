//! What a daemon holds while it has nothing to do.

use std::{
    array, fs,
    process::{Command, Stdio},
};

use nix::unistd::Pid;

use super::{
    compile::Compiled,
    descendants,
    program::{Each, PROGRAMS, Program},
};
use crate::{Result, quartiles::median, table::Table};

/// What is counted, each by its name in the table.
///
/// Private are also pages of the program file that nobody else happens to have mapped. Anonymous is what it wrote to.
const TITLES: [&str; 6] = [
    "idle: Rss, KiB",
    "idle: Pss, KiB",
    "idle: private, KiB",
    "idle: anonymous, KiB",
    "idle: descriptors",
    "idle: threads",
];

type Counts = [f64; TITLES.len()];

pub(super) fn measure(compiled: &Compiled, rounds: usize) -> Result<Each<Vec<Counts>>> {
    let mut counts = Each::<Vec<_>>::default();
    for _ in 0..rounds {
        for (program, counts) in PROGRAMS.iter().zip(&mut counts) {
            counts.extend(measure_one(program, compiled)?);
        }
    }
    Ok(counts)
}

fn measure_one(program: &Program, compiled: &Compiled) -> Result<Option<Counts>> {
    let Some(path) = compiled.idling(program) else { return Ok(None) };
    let mut launcher = Command::new(path).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    if program.detaches {
        launcher.wait()?;
    }
    let counts = look(descendants::the_idle_one()?)?;
    descendants::end();
    Ok(Some(counts))
}

fn look(process: Pid) -> Result<Counts> {
    let memory = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let descriptors = fs::read_dir(format!("/proc/{process}/fd"))?.map(|_| 1.0).sum();
    Ok([
        field(&memory, "Rss:")?,
        field(&memory, "Pss:")?,
        field(&memory, "Private_Clean:")? + field(&memory, "Private_Dirty:")?,
        field(&memory, "Anonymous:")?,
        descriptors,
        field(&status, "Threads:")?,
    ])
}

/// The number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Result<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("no {name}"))?;
    Ok(value.split_whitespace().next().unwrap_or_default().parse()?)
}

pub(super) fn report(counts: &Each<Vec<Counts>>, table: &mut Table) {
    for (index, title) in TITLES.into_iter().enumerate() {
        let medians: Each<_> = array::from_fn(|program| {
            let values: Vec<_> = counts[program].iter().map(|counts| counts[index]).collect();
            (!values.is_empty()).then(|| format!("{:.0}", median(values)))
        });
        table.row(title, medians);
    }
}
