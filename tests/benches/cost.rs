//! What a daemon costs, in one table: its start, whole processes side by side in one run, against an empty program of
//! the same language; what it holds while it idles, and adds to a binary and to a build; its stop; and its output.
//!
//! `cargo bench`, or `cargo bench -- --quick` for fewer rounds. The machine should be idle. It needs Linux's /proc and
//! pidfds, a C compiler, `strip`, `valgrind`, sh, and dpkg's `start-stop-daemon`.

mod clock;
mod output;
mod quartiles;
mod start;
mod stop;
mod table;

use std::{
    env,
    error::Error,
    fs,
    os::fd::RawFd,
    process::{ExitCode, Termination},
    thread,
};

use nix::unistd::close;

use crate::table::Table;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(output::WRITE) => output::write_lines(&arguments[1..]),
        Some(stop::STOP) => stop::call_on(&arguments[1..]).report(),
        _ => measure(arguments.iter().any(|argument| argument == "--quick")).report(),
    }
}

fn measure(quick: bool) -> Result<()> {
    close_inherited()?;
    let load_before = load_average()?;
    let mut table = Table::default();
    start::measure(quick, &mut table)?;
    stop::measure(quick, &mut table)?;
    output::measure(quick, &mut table)?;
    println!("{table}");
    println!(
        "medians, on {} processors, load average {load_before} before and {} after; \"adds\": less the empty program of \
         the same language",
        thread::available_parallelism()?,
        load_average()?
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
