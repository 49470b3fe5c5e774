//! `setup`, the start, and `main` in the process that is the daemon by then.

use std::{
    fmt::Display,
    mem,
    process::{ExitCode, Termination},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{Daemon, Error, last_words, messages::Messages, start};

/// The exit status of a program whose main thread panics, `std::process`.
const PANICKED: u8 = 101;

/// See [`Daemon::run_with`].
pub(crate) fn run<S, E: Display, T: Termination>(
    daemon: &mut Daemon,
    setup: impl FnOnce(&mut Daemon) -> Result<S, E>,
    main: impl FnOnce(S) -> T,
) -> ExitCode {
    match set_up_and_start(daemon, setup) {
        Ok(value) => run_main(|| main(value)),
        Err(error) => {
            Messages::of(daemon).say("", &error);
            ExitCode::FAILURE
        }
    }
}

fn set_up_and_start<S, E: Display>(
    daemon: &mut Daemon,
    setup: impl FnOnce(&mut Daemon) -> Result<S, E>,
) -> Result<S, Error> {
    refuse_second_run()?;
    let started = match start::refuse_ready_in(|| setup(daemon)) {
        Ok(value) => start::start(daemon).map(|()| value),
        // It may have failed on what the other instance has: its socket, its port.
        Err(error) => Err(start::other_instance(daemon).unwrap_or_else(|| Error::new(format!("{error:#}")))),
    };
    started.inspect_err(|error| start::start_failed(daemon, error))
}

/// A second start would close, redirect and report what belongs to the first.
fn refuse_second_run() -> Result<(), Error> {
    static RAN: AtomicBool = AtomicBool::new(false);
    if RAN.swap(true, Ordering::Relaxed) {
        return Err(Error::new("cannot start a second daemon in one process"));
    }
    Ok(())
}

fn run_main<T: Termination>(main: impl FnOnce() -> T) -> ExitCode {
    let panicked = Panicked;
    let result = main();
    mem::forget(panicked);
    start::stopping();
    let status = last_words::report(result);
    let number = (0..=u8::MAX).find(|&number| ExitCode::from(number) == status).unwrap_or(1);
    start::ended(&format!("`main` returned exit status {number}"), number);
    status
}

/// Dropped by a panic that ends `main`, and so the program.
struct Panicked;

impl Drop for Panicked {
    fn drop(&mut self) {
        start::ended("`main` panicked", PANICKED);
    }
}
