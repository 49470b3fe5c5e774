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
        cargo_build(&compiled.telling, &["--bins"])?;
        cargo_build(&compiled.idling, &["--bins", "--features", "idle"])?;
        fs::create_dir_all(&compiled.from_c)?;
        for program in &PROGRAMS {
            if program.language == Language::C {
                compiled.compile_c(program.name)?;
            }
            write_at_once(&compiled.linked(program), &compiled.telling(program))?;
        }
        Ok(compiled)
    }

    /// The program that tells when its `main` began.
    pub(super) fn telling(&self, program: &Program) -> PathBuf {
        self.linked(program).with_extension("copy")
    }

    fn linked(&self, program: &Program) -> PathBuf {
        match program.language {
            Language::C => self.from_c.join(program.name),
            Language::Rust => self.telling.join("release").join(program.name),
        }
    }

    /// Compiles the program of that name in C.
    pub(super) fn compile_c(&self, name: &str) -> Result<PathBuf> {
        let source = Path::new(SOURCES).join(name).with_extension("c");
        let path = self.from_c.join(name);
        run(Command::new("cc").arg("-O2").arg(source).arg("-o").arg(&path))?;
        Ok(path)
    }

    /// The program whose `main` idles, which has nothing else in it. In Rust only.
    pub(super) fn idling(&self, program: &Program) -> Option<PathBuf> {
        (program.language == Language::Rust).then(|| self.idling.join("release").join(program.name))
    }
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
