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
        for program in &PROGRAMS {
            let path = compiled.telling(program);
            match program.language {
                Language::C => from_c(program.name, &path)?,
                Language::Rust => _ = fs::copy(compiled.telling.join("release").join(program.name), &path)?,
            }
            write_at_once(&path)?;
        }
        Ok(compiled)
    }

    /// The program that tells when its `main` began.
    pub(super) fn telling(&self, program: &Program) -> PathBuf {
        match program.language {
            Language::C => self.from_c.join(program.name),
            Language::Rust => self.telling.join(program.name),
        }
    }

    /// The program of that name in C that is none of those compared.
    pub(super) fn other(&self, name: &str) -> Result<PathBuf> {
        let path = self.from_c.join(name);
        from_c(name, &path)?;
        Ok(path)
    }

    /// The program whose `main` idles, which has nothing else in it. In Rust only.
    pub(super) fn idling(&self, program: &Program) -> Option<PathBuf> {
        (program.language == Language::Rust).then(|| self.idling.join("release").join(program.name))
    }
}

fn from_c(name: &str, path: &Path) -> Result<()> {
    let source = Path::new(SOURCES).join(name).with_extension("c");
    run(Command::new("cc").arg("-O2").arg(source).arg("-o").arg(path))
}

/// A linker writes a file in small pieces, and in such pieces it stays in the page cache: by luck, the same program takes
/// up to 50 µs more or less.
fn write_at_once(path: &Path) -> Result<()> {
    let (program, permissions) = (fs::read(path)?, fs::metadata(path)?.permissions());
    fs::remove_file(path)?;
    fs::write(path, program)?;
    fs::set_permissions(path, permissions)?;
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
