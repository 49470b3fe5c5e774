//! What a line of output costs: a million of them from a detached daemon to its log, and from the same program in the
//! foreground to the same file by a shell's redirection.

use std::{
    env, fs,
    process::{Command, ExitCode},
    time::Duration,
};

use daemon_rt::{Daemon, Detach, Stdio};
use nix::time::{ClockId, clock_gettime};
use support::{Stage, eventually};

use crate::{
    Result,
    clock::now,
    quartiles::{median, quartiles},
    table::Table,
};

const LINES: u32 = 1_000_000;

/// The arguments with which this program is the one that writes.
pub(crate) const WRITE: &str = "--write";
const FOREGROUND: &str = "--foreground";
const REOPEN_LOGS: &str = "--reopen-logs";
const ROTATE: &str = "--rotate";

const LOG: &str = "log";

/// Where the program tells how long its lines took, and how much of that it ran.
const TOOK: &str = "took";

struct Way {
    title: &'static str,
    command: fn(&Stage) -> Result<Command>,
}

/// All others are compared with the first. There, too, both streams go to one open file: Linux locks that for each
/// write then.
const WAYS: [Way; 4] = [
    Way { title: "sh: > log 2>&1", command: redirected },
    Way { title: "detached", command: |stage| detached(stage, &[]) },
    Way { title: "reopen_logs", command: |stage| detached(stage, &[REOPEN_LOGS]) },
    Way { title: "rotate", command: |stage| detached(stage, &[ROTATE]) },
];

/// In milliseconds, one of each a round.
#[derive(Default)]
struct Times {
    took: Vec<f64>,
    ran: Vec<f64>,
}

pub(crate) fn measure(quick: bool, table: &mut Table) -> Result<()> {
    let rounds = if quick { 3 } else { 100 };
    let times = times(rounds)?;
    table.heading(&format!("output ({rounds} rounds)"), WAYS.map(|way| way.title));
    report("a million lines, ms", times.each_ref().map(|times| &times.took), table);
    report("processor time, ms", times.each_ref().map(|times| &times.ran), table);
    Ok(())
}

/// In the process that this program is when it is started to write.
pub(crate) fn write_lines(options: &[String]) -> ExitCode {
    let is_given = |word: &str| options.iter().any(|option| option == word);
    let mut daemon = Daemon::new();
    daemon.chdir(".").stdout(LOG).reopen_logs(is_given(REOPEN_LOGS));
    if is_given(ROTATE) {
        daemon.stdout(Stdio::append(LOG).rotate(1 << 30, 5)); // which is looked at, and not reached
    }
    daemon.detach(if is_given(FOREGROUND) { Detach::Never } else { Detach::Always });
    daemon.run(write)
}

/// What both do: nothing but lines.
fn write() -> Result<()> {
    let (begun, ran_before) = (now()?, processor_time()?);
    for number in 0..LINES {
        println!("line {number}, as long as one of a log is: the quick brown fox jumps over it");
    }
    let (took, ran) = (now()?.saturating_sub(begun), processor_time()?.saturating_sub(ran_before));
    fs::write(TOOK, format!("{} {}\n", took.as_nanos(), ran.as_nanos()))?;
    Ok(())
}

fn processor_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into())
}

fn times(rounds: usize) -> Result<[Times; WAYS.len()]> {
    let mut times: [Times; WAYS.len()] = Default::default();
    for round in 0..=rounds {
        for index in 0..WAYS.len() {
            let index = (round + index) % WAYS.len(); // none always follows the same
            let (took, ran) = lines(&WAYS[index])?;
            if round > 0 {
                times[index].took.push(took);
                times[index].ran.push(ran);
            }
        }
    }
    Ok(times)
}

/// How long a million lines took, and how much of that the program ran.
fn lines(way: &Way) -> Result<(f64, f64)> {
    let stage = Stage::new();
    let mut command = (way.command)(&stage)?;
    let status = command.status()?;
    if !status.success() {
        return Err(format!("{command:?}: {status}").into());
    }
    let told = eventually("all lines", || Some(stage.read(TOOK)).filter(|told| told.ends_with('\n')));
    eventually("the end of the program", || stage.processes().is_empty().then_some(()));
    let size = fs::metadata(stage.path(LOG))?.len();
    assert!(size > u64::from(LINES) * 70, "{} wrote {size} bytes", way.title);
    let (took, ran) = told.trim_end().split_once(' ').ok_or("not two times")?;
    Ok((milliseconds(took)?, milliseconds(ran)?))
}

fn redirected(stage: &Stage) -> Result<Command> {
    let mut command = stage.command("sh");
    let script = format!("exec \"$@\" > {LOG} 2>&1");
    command.args(["-c", &script, "sh"]).arg(env::current_exe()?).args([WRITE, FOREGROUND]);
    Ok(command)
}

fn detached(stage: &Stage, options: &[&str]) -> Result<Command> {
    let mut command = stage.command(env::current_exe()?);
    command.arg(WRITE).args(options);
    Ok(command)
}

fn milliseconds(nanoseconds: &str) -> Result<f64> {
    Ok(Duration::from_nanos(nanoseconds.parse()?).as_secs_f64() * 1e3)
}

fn report(title: &str, times: [&Vec<f64>; WAYS.len()], table: &mut Table) {
    let medians = times.map(|times| median(times.clone()));
    table.row(title, medians.map(|median| Some(format!("{median:.0}"))));
    let quartiles = times.map(|times| quartiles(times.clone()));
    table.row("  quartiles", quartiles.map(|[low, _, high]| Some(format!("{low:.0}–{high:.0}"))));
    table.row("  ratio", medians.map(|median| Some(format!("{:.3}", median / medians[0]))));
}
