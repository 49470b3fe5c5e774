//! `setup`, the start, and `main` in the process that is the daemon by then.

use std::{
    fmt::Display,
    process::{ExitCode, Termination},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{Daemon, Error, complaints::Complaints, last_words, start};

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
            Complaints::of(daemon).say("", &error);
            ExitCode::FAILURE
        }
    }
}

fn set_up_and_start<S, E: Display>(
    daemon: &mut Daemon,
    setup: impl FnOnce(&mut Daemon) -> Result<S, E>,
) -> Result<S, Error> {
    refuse_second_run()?;
    let value = match start::refuse_ready_in(|| setup(daemon)) {
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
