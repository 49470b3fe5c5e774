//! Builds what is compared. It needs a network once.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Failure, sources};

/// What is beside the auditor when all the programs of the workspace are built, as `cargo test --workspace` builds them.
pub(crate) fn own_programs() -> Result<(), Failure> {
    run(cargo().args(["build", "--quiet", "--workspace", "--bins", "--examples"]).current_dir(sources()))
}

/// The directory of the programs by other crates.
pub(crate) fn crates() -> Result<PathBuf, Failure> {
    let target = directory("crates")?;
    let manifest = sources().join("peers/Cargo.toml");
    let build = ["build", "--quiet", "--locked", "--manifest-path"];
    run(cargo().args(build).arg(manifest).arg("--target-dir").arg(&target))?;
    Ok(target.join("debug"))
}

/// The program by daemon(3).
pub(crate) fn daemon3() -> Result<PathBuf, Failure> {
    let program = directory("c")?.join("daemon3");
    run(Command::new("cc").arg("-pthread").arg("-o").arg(&program).arg(sources().join("peers/daemon3.c")))?;
    Ok(program)
}

/// The directory of the Python modules.
pub(crate) fn python_modules() -> Result<PathBuf, Failure> {
    let requirements = sources().join("peers/requirements.txt");
    let modules = directory("python")?;
    let installed = modules.join("requirements.txt");
    if fs::read(&installed).ok() != fs::read(&requirements).ok() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action", "ignore"]);
        run(pip.args(["--upgrade", "--target"]).arg(&modules).arg("--requirement").arg(&requirements))?;
        fs::copy(&requirements, &installed)?;
    }
    Ok(modules)
}

/// What Cargo says of a package.
pub(crate) fn cargo_says(manifest: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let output = cargo().args(arguments).args(["--locked", "--manifest-path"]).arg(manifest).output()?;
    if !output.status.success() {
        return Err(format!("cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// A directory beside that of the auditor, in Cargo's target directory.
fn directory(name: &str) -> Result<PathBuf, Failure> {
    let own = env::current_exe()?;
    let target = own.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let directory = target.join("audit").join(name);
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}
