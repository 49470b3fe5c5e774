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

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/programs");

/// Where the programs are that tell when their `main` began, and where those that idle.
pub(super) struct Compiled {
    telling: PathBuf,
    idling: PathBuf,
    from_c: PathBuf,
}

impl Compiled {
    pub(super) fn new() -> Result<Self> {
        let compiled = Self { telling: directory("telling"), idling: directory("idling"), from_c: directory("from_c") };
        compile_rust(&[], &compiled.telling)?;
        compile_rust(&["--features", "idle"], &compiled.idling)?;
        for program in PROGRAMS.iter().filter(|program| program.language == Language::C) {
            write_at_once(&compiled.compile_c(program.name)?, &compiled.telling(program))?;
        }
        Ok(compiled)
    }

    /// The program that tells when its `main` began.
    pub(super) fn telling(&self, program: &Program) -> PathBuf {
        match program.language {
            Language::C => self.from_c.join(program.name).with_extension("copy"),
            Language::Rust => self.telling.join(program.name),
        }
    }

    /// The program whose `main` idles, which has nothing else in it. In Rust only.
    pub(super) fn idling(&self, program: &Program) -> Option<PathBuf> {
        (program.language == Language::Rust).then(|| self.idling.join(program.name))
    }

    /// Compiles the program of that name in C.
    pub(super) fn compile_c(&self, name: &str) -> Result<PathBuf> {
        fs::create_dir_all(&self.from_c)?;
        let source = Path::new(SOURCES).join(name).with_extension("c");
        let path = self.from_c.join(name);
        run(Command::new("cc").arg("-O2").arg(source).arg("-o").arg(&path))?;
        Ok(path)
    }
}

/// Compiles the programs in Rust, and what they depend on only once.
fn compile_rust(features: &[&str], copies: &Path) -> Result<()> {
    let target = directory("from_rust");
    cargo_build(&target, &[&["--bins"], features].concat())?;
    fs::create_dir_all(copies)?;
    for program in PROGRAMS.iter().filter(|program| program.language == Language::Rust) {
        write_at_once(&target.join("release").join(program.name), &copies.join(program.name))?;
    }
    Ok(())
}

/// A linker writes a file in small pieces, and in such pieces it stays in the page cache: by luck, the same program takes
/// up to 50 µs more or less.
fn write_at_once(linked: &Path, path: &Path) -> Result<()> {
    fs::write(path, fs::read(linked)?)?;
    fs::set_permissions(path, fs::metadata(linked)?.permissions())?;
    Ok(())
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
