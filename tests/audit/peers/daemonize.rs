//! The crate `daemonize`, as its documentation has it.

#[path = "../body.rs"]
mod body;

use std::process::ExitCode;

use body::{Failure, Options, open_log};
use daemonize::Daemonize;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("daemonize: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let options = Options::read(&["--pidfile", "--stdout", "--umask", "--chdir", "--user", "--group"])?;
    let mut daemonize = Daemonize::new();
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
    if let Some(directory) = options.chdir {
        daemonize = daemonize.working_directory(directory);
    }
    if let Some(user) = options.user {
        daemonize = daemonize.user(user.as_str());
    }
    if let Some(group) = options.group {
        daemonize = daemonize.group(group.as_str());
    }
    daemonize.start()?;
    body::serve(&mut ())
}
