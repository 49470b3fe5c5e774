//! The crate `daemonize2`, as its documentation has it. Its working directory is `/` when it is told so.

#[path = "../body.rs"]
mod body;

use std::process::ExitCode;

use body::{Failure, Options, open_log};
use daemonize2::Daemonize;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("daemonize2: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let options = Options::read(&["--pidfile", "--stdout", "--umask", "--chdir", "--user", "--group"])?;
    let mut daemonize = Daemonize::new().working_directory(options.chdir.unwrap_or_else(|| "/".into()));
    if let Some(pidfile) = options.pidfile {
        daemonize = daemonize.pid_file(pidfile);
    }
    if let Some(log) = options.stdout {
        let log = open_log(&log)?;
        daemonize = daemonize.stdout(log.try_clone()?).stderr(log);
    }
    if let Some(umask) = options.umask {
        daemonize = daemonize.umask(umask);
    }
    if let Some(user) = options.user {
        daemonize = daemonize.user(user.as_str());
    }
    if let Some(group) = options.group {
        daemonize = daemonize.group(group.as_str());
    }
    // SAFETY: there is one thread, but for `--thread`, which is there to see what becomes of it.
    unsafe { daemonize.start() }?;
    body::serve(&mut ())
}
