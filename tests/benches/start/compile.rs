//! Building the programs: Rust's as a release, C's with the optimisation that goes for one.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::program::{Language, PROGRAMS, Program};
use crate::Result;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/programs");

/// Where the programs are that tell when their `main` began, and where those that idle.
pub(super) struct Compiled {
    telling: PathBuf,
    idling: PathBuf,
    from_c: PathBuf,
}

impl Compiled {
    pub(super) fn new() -> Result<Self> {
        let compiled = Self { telling: directory("telling"), idling: directory("idling"), from_c: directory("from_c") };
        cargo_build(&compiled.telling, &["--bins"])?;
        cargo_build(&compiled.idling, &["--bins", "--features", "idle"])?;
        fs::create_dir_all(&compiled.from_c)?;
        for program in PROGRAMS.iter().filter(|program| program.language == Language::C) {
            let source = Path::new(SOURCES).join(program.name).with_extension("c");
            run(Command::new("cc").arg("-O2").arg(source).arg("-o").arg(compiled.from_c.join(program.name)))?;
        }
        Ok(compiled)
    }

    /// The program that tells when its `main` began.
    pub(super) fn telling(&self, program: &Program) -> PathBuf {
        match program.language {
            Language::C => self.from_c.join(program.name),
            Language::Rust => self.telling.join("release").join(program.name),
        }
    }

    /// The program whose `main` idles, which has nothing else in it. In Rust only.
    pub(super) fn idling(&self, program: &Program) -> Option<PathBuf> {
        (program.language == Language::Rust).then(|| self.idling.join("release").join(program.name))
    }
}

/// A directory of this benchmark's own below Cargo's target directory.
pub(super) fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("start").join(name)
}

pub(super) fn cargo_build(target: &Path, arguments: &[&str]) -> Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    run(Command::new(cargo)
        .args(["build", "--release", "--quiet"])
        .args(arguments)
        .arg("--target-dir")
        .arg(target)
        .current_dir(SOURCES))
}

pub(super) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}
