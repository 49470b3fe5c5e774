//! The crate `daemonizr`, as its documentation has it. The pidfile and the log are named before the working directory,
//! to which they would be relative otherwise.

#[path = "../body.rs"]
mod body;

use std::{path::PathBuf, process::ExitCode};

use body::{Failure, Options};
use daemonizr::{Daemonizr, DaemonizrError, Group, Stderr, Stdout, User};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("daemonizr: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let options = Options::read(&["--pidfile", "--stdout", "--umask", "--chdir", "--user", "--group"])?;
    let pidfile = PathBuf::from(options.pidfile.unwrap_or_else(|| "daemonizr.pid".into()));
    let mut daemonizr = Daemonizr::new().pidfile(pidfile.clone());
    if let Some(log) = options.stdout {
        daemonizr = daemonizr.stdout(Stdout::Redirect(log.clone().into())).stderr(Stderr::Redirect(log.into()));
    }
    daemonizr = daemonizr.work_dir(options.chdir.unwrap_or_else(|| "/".into()).into())?;
    if let Some(umask) = options.umask {
        daemonizr = daemonizr.umask(umask.try_into()?)?;
    }
    if let Some(user) = options.user {
        daemonizr = daemonizr.as_user(User::by_name(&user)?);
    }
    if let Some(group) = options.group {
        daemonizr = daemonizr.as_group(Group::by_name(&group)?);
    }
    match daemonizr.spawn() {
        Err(DaemonizrError::AlreadyRunning) => {
            let running = Daemonizr::new().pidfile(pidfile).search()?;
            return Err(format!("another daemon with pid {running} is already running").into());
        }
        started => started?,
    }
    body::serve(&mut ())
}
