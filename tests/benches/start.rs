//! What a start costs: whole processes, side by side in one run, against an empty program of the same language; and
//! what a daemon holds while it idles, and adds to a binary and to a build.
//!
//! `cargo bench`, or `cargo bench --bench start -- --quick` for fewer rounds. The machine should be idle. It needs
//! Linux's /proc, a C compiler and `strip`.

mod clean_build;
mod clock;
mod compile;
mod descendants;
mod idle;
mod program;
mod quartiles;
mod size;
mod table;
mod timing;

use std::{env, error::Error, fs, os::fd::RawFd, thread};

use nix::unistd::close;

use crate::{compile::Compiled, program::PROGRAMS, table::Table};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    close_inherited()?;
    let quick = env::args().any(|argument| argument == "--quick");
    let (rounds, repetitions) = if quick { (50, 1) } else { (1000, 3) };
    let compiled = Compiled::new()?;
    let _adopted = descendants::adopt()?;

    let load_before = load_average()?;
    let times = timing::measure(&compiled, rounds)?;
    let load_after = load_average()?;
    let idle = idle::measure(&compiled, repetitions)?;
    let sizes = size::measure(&compiled)?;
    let builds = clean_build::measure(repetitions)?;

    let mut table = Table::new(PROGRAMS.map(|program| program.title));
    timing::report(&times, &mut table);
    size::report(&sizes, &mut table);
    idle::report(&idle, &mut table);
    clean_build::report(&builds, &mut table);
    println!("{table}");
    println!(
        "{rounds} rounds on {} processors, load average {load_before} before and {load_after} after them; \
         \"adds\": less the empty program of the same language",
        thread::available_parallelism()?
    );
    Ok(())
}

/// What the benchmark inherited, the programs would too: it would be theirs to close, or to hold.
fn close_inherited() -> Result<()> {
    let names = fs::read_dir("/proc/self/fd")?.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>()?;
    let numbers = names.iter().filter_map(|name| name.to_str()?.parse::<RawFd>().ok());
    for number in numbers.filter(|&number| number > 2) {
        let _ = close(number); // an error: the directory's own, which is closed already
    }
    Ok(())
}

/// Runnable processes in the last minute, proc(5).
fn load_average() -> Result<String> {
    let averages = fs::read_to_string("/proc/loadavg")?;
    Ok(averages.split(' ').next().unwrap_or_default().to_owned())
}
