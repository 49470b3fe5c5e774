//! Grades programs that start a daemon, from outside, by daemon(7) and by the contract of a start.
//!
//! - `audit COMMAND [ARGUMENT]...` grades one, with a line for each criterion, and exits with 1 if it does not meet one.
//! - `audit` builds what ours is compared with, grades all, and prints the page daemon-rt/src/docs/side_by_side.md.
//!
//! The command, whose paths are absolute, takes options by the names of the attribute's, `--pidfile PATH` for example,
//! and exits with 99 where it does not have one. Its `main` connects to the socket that
//! `PROBE_SOCKET` names, and obeys: body.rs is such a `main`, programs/probe.rs another. Some criteria need root.

mod build;
mod compared;
mod context;
mod criteria;
mod facts;
mod grade;
mod launcher;
mod logs;
mod manager;
mod page;
mod pidfile;
mod privileges;
mod program;
mod respawn;
mod stop;
mod theirs;
mod tools;
mod verdict;

use std::{
    env,
    error::Error,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::{criteria::CRITERIA, program::Program, verdict::Objection};

type Failure = Box<dyn Error>;

fn main() -> Result<ExitCode, Failure> {
    let command: Vec<OsString> = env::args_os().skip(1).collect();
    if command.is_empty() {
        print!("{}", page::of(&compared::all()?, &facts::table()?));
        return Ok(ExitCode::SUCCESS);
    }
    Ok(report(&Program::new(command, beside_this("arrange")?)))
}

fn report(program: &Program) -> ExitCode {
    let grades = grade::all(&[program]);
    for (criterion, verdict) in CRITERIA.iter().zip(&grades[0]) {
        let (mark, seen) = match verdict {
            Ok(seen) => ("met", seen),
            Err(Objection::NotMet(seen)) => ("not met", seen),
            Err(Objection::NotApplicable(why)) => ("not applicable", why),
        };
        println!("{} {mark}: {} ({}): {seen}", criterion.id, criterion.rule, criterion.source);
    }
    let is_met = grades[0].iter().all(|verdict| !matches!(verdict, Err(Objection::NotMet(_))));
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A program of the tests, where Cargo puts it.
fn beside_this(name: &str) -> Result<PathBuf, Failure> {
    let path = env::current_exe()?.with_file_name(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is not built", path.display()).into()) }
}

/// The directory of the auditor's sources.
fn sources() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
