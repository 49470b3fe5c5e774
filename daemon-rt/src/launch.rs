//! `setup`, the start, and `main` in the process that is the daemon by then.

use std::{
    env,
    fmt::Display,
    io::{self, Write},
    path::Path,
    process::{ExitCode, Termination},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{Daemon, Error, last_words, start, syslog, terminal::for_terminal};

pub(crate) fn run<S, E: Display, T: Termination>(
    daemon: &mut Daemon,
    setup: impl FnOnce(&mut Daemon) -> Result<S, E>,
    main: impl FnOnce(S) -> T,
) -> ExitCode {
    match set_up_and_start(daemon, setup) {
        Ok(value) => {
            let result = main(value);
            start::stopping();
            last_words::report(result)
        }
        Err(error) => {
            Complaints::of(daemon).say("", &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn set_up_and_start<S, E: Display>(
    daemon: &mut Daemon,
    setup: impl FnOnce(&mut Daemon) -> Result<S, E>,
) -> Result<S, Error> {
    refuse_second_run()?;
    let value = match setup(daemon) {
        Ok(value) => value,
        // What it ran into may be the other instance's: its socket, its port.
        Err(error) => return Err(start::other_instance(daemon).unwrap_or_else(|| Error::new(format!("{error:#}")))),
    };
    start::start(daemon)?;
    Ok(value)
}

/// A second start would close, redirect and report what belongs to the first.
fn refuse_second_run() -> Result<(), Error> {
    static RAN: AtomicBool = AtomicBool::new(false);
    if RAN.swap(true, Ordering::Relaxed) {
        return Err(Error::new("cannot start a second daemon in one process"));
    }
    Ok(())
}

/// What became of a start, for whoever reads standard error.
pub(crate) struct Complaints {
    name: String,
    has_reader: bool,
}

impl Complaints {
    pub(crate) fn of(daemon: &Daemon) -> Self {
        Self {
            name: daemon.name.clone().or_else(zeroth_argument).unwrap_or_else(|| "daemon".to_owned()),
            has_reader: !daemon.launched_by.has_peer_on_stderr(),
        }
    }

    #[cfg(unix)]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    #[cfg(unix)]
    pub(crate) fn into_name(self) -> String {
        self.name
    }

    /// Prints what the daemon said, and the line below it. Nothing can be done about a stderr that takes no more; where
    /// it is the peer of a connection, the line goes to the system's log.
    pub(crate) fn say(&self, said: &str, text: &str) {
        if !self.has_reader {
            return syslog::say(&self.name, text);
        }
        let line = for_terminal(format!("{}: {text}", self.name).as_bytes());
        let _ = io::stderr().write_all(format!("{said}{line}").as_bytes());
    }
}

fn zeroth_argument() -> Option<String> {
    let argument = env::args_os().next()?;
    Some(Path::new(&argument).file_name()?.to_string_lossy().into_owned())
}
