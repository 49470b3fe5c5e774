//! Machine instructions outside the kernel, which repeat where times do not: counted by callgrind, from the program's
//! first one on. A child's count begins with its parent's up to the fork.

use std::{
    array, fs,
    path::Path,
    process::{Command, Stdio},
};

use super::{
    compile::{Compiled, directory},
    descendants,
    program::{Each, PROGRAMS},
};
use crate::{Result, table::Table};

const PROCESSES: [&str; 3] = ["launcher", "leader", "daemon"];

type Counts = [Option<u64>; PROCESSES.len()];

pub(super) fn measure(compiled: &Compiled) -> Result<Each<Counts>> {
    let mut counts = Each::default();
    for (program, counts) in PROGRAMS.iter().zip(&mut counts) {
        *counts = count(&compiled.telling(program))?;
    }
    Ok(counts)
}

fn count(program: &Path) -> Result<Counts> {
    let directory = directory("instructions");
    if directory.exists() {
        fs::remove_dir_all(&directory)?; // an interrupted run's
    }
    fs::create_dir_all(&directory)?;
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--tool=callgrind"]);
    command.arg(format!("--callgrind-out-file={}/%p", directory.display())).arg(program);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = status.map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if !status.success() {
        return Err(format!("{command:?}: {status}").into());
    }
    descendants::wait()?;
    let counts = read(&directory)?;
    fs::remove_dir_all(directory)?;
    Ok(counts)
}

/// The files are named by process ids, which rise in the order of the forks.
fn read(directory: &Path) -> Result<Counts> {
    let names = fs::read_dir(directory)?.map(|profile| Ok(profile?.file_name())).collect::<Result<Vec<_>>>()?;
    let mut ids = names.iter().map(|name| Ok(name.to_string_lossy().parse()?)).collect::<Result<Vec<u32>>>()?;
    ids.sort_unstable();
    let mut counts = Counts::default();
    for (id, count) in ids.into_iter().zip(&mut counts) {
        *count = Some(total(&fs::read_to_string(directory.join(id.to_string()))?)?);
    }
    Ok(counts)
}

fn total(profile: &str) -> Result<u64> {
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: ")).ok_or("callgrind told no total")?;
    Ok(total.trim().parse()?)
}

pub(super) fn report(counts: &Each<Counts>, table: &mut Table) {
    for (process, name) in PROCESSES.into_iter().enumerate() {
        let own = counts.map(|counts| counts[process]);
        let adds: Each<_> = array::from_fn(|index| own[index]?.checked_sub(counts[PROGRAMS[index].empty()][0]?));
        table.row(&format!("instructions, {name}"), own.map(|count| Some(count?.to_string())));
        table.row("  adds", adds.map(|adds| Some(adds?.to_string())));
    }
}
