//! Bytes of a release, as Cargo leaves it and without symbols, and what a library adds to the empty program's.

use std::{fs, process::Command};

use super::{
    compile::{Compiled, run},
    program::{EMPTY_RUST, Each, PROGRAMS},
};
use crate::{Result, table::Table};

#[derive(Clone, Copy)]
pub(super) struct Size {
    built: u64,
    stripped: u64,
}

pub(super) fn measure(compiled: &Compiled) -> Result<Each<Option<Size>>> {
    let mut sizes = Each::default();
    for (program, size) in PROGRAMS.iter().zip(&mut sizes) {
        let Some(path) = compiled.idling(program) else { continue };
        let stripped = path.with_extension("stripped");
        run(Command::new("strip").arg(&path).arg("-o").arg(&stripped))?;
        *size = Some(Size { built: fs::metadata(path)?.len(), stripped: fs::metadata(stripped)?.len() });
    }
    Ok(sizes)
}

pub(super) fn report(sizes: &Each<Option<Size>>, table: &mut Table) {
    report_one("binary, bytes", sizes.map(|size| Some(size?.built)), table);
    report_one("stripped, bytes", sizes.map(|size| Some(size?.stripped)), table);
}

fn report_one(title: &str, sizes: Each<Option<u64>>, table: &mut Table) {
    table.row(title, sizes.map(|size| Some(size?.to_string())));
    table.row("  adds", sizes.map(|size| Some(size?.checked_sub(sizes[EMPTY_RUST]?)?.to_string())));
}
