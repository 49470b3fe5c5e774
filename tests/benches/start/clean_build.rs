//! Seconds that a release build of a library and of all that it depends on takes from scratch.

use std::fs;

use super::{
    compile::{cargo_build, directory},
    program::{Each, PROGRAMS, Program},
};
use crate::{Result, clock::now, quartiles::median, table::Table};

pub(super) fn measure(rounds: usize) -> Result<Each<Vec<f64>>> {
    let mut seconds = Each::<Vec<_>>::default();
    for _ in 0..rounds {
        for (program, seconds) in PROGRAMS.iter().zip(&mut seconds) {
            seconds.extend(measure_one(program)?);
        }
    }
    Ok(seconds)
}

fn measure_one(program: &Program) -> Result<Option<f64>> {
    let Some(library) = program.library else { return Ok(None) };
    let target = directory("clean_build");
    if target.exists() {
        fs::remove_dir_all(&target)?; // an interrupted run's
    }
    let begun = now()?;
    cargo_build(&target, &["--offline", "--package", library])?;
    let seconds = now()?.saturating_sub(begun).as_secs_f64();
    fs::remove_dir_all(target)?;
    Ok(Some(seconds))
}

pub(super) fn report(seconds: &Each<Vec<f64>>, table: &mut Table) {
    let medians =
        seconds.each_ref().map(|seconds| (!seconds.is_empty()).then(|| format!("{:.1}", median(seconds.clone()))));
    table.row("clean build, s", medians);
}
