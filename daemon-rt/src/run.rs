//! `setup`, the start, and `main` in the process that has become the daemon.

use std::{
    fmt::Display,
    mem,
    process::{ExitCode, Termination},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::{
    Daemon, Error, last_words,
    messages::{self, Messages},
    start::{self, exit_now},
};

/// The process in which a start returns.
#[cfg_attr(not(unix), allow(dead_code, reason = "without a fork there is one process"))]
pub(crate) enum Role {
    /// The process that is to run `main`: the daemon or, in the foreground, the only one.
    Daemon,
    /// The launcher, with what became of the daemon.
    Launcher(Result<Ready, Error>),
}

/// The daemon is ready.
#[derive(Default)]
pub(crate) struct Ready {
    /// Its process id.
    pub(crate) daemon: u32,
    /// What it gave to `ready_with`, or empty.
    pub(crate) message: String,
}

/// The exit status of a program whose main thread panics, `std::process`.
pub(crate) const PANICKED: u8 = 101;

/// See [`Daemon::run_with`].
pub(crate) fn run<S, E: Display, T: Termination>(
    daemon: &mut Daemon,
    setup: impl FnOnce(&mut Daemon) -> Result<S, E>,
    main: impl FnOnce(S) -> T,
) -> ExitCode {
    if let Err(error) = refuse_second() {
        Messages::of(daemon).say(&error); // and the manager hears only of the first start
        return error.exit_status().into();
    }
    match set_up(daemon, setup).and_then(|value| Ok((start::start(daemon)?, value))) {
        Ok((Role::Daemon, value)) => run_main(|| main(value)),
        Ok((Role::Launcher(Ok(ready)), _)) => leave(&ready),
        Ok((Role::Launcher(Err(error)), _)) => {
            fail(daemon, &error);
            exit_now(error.exit_status())
        }
        Err(error) => {
            fail(daemon, &error);
            error.exit_status().into()
        }
    }
}

/// See [`Daemon::start`].
pub(crate) fn start(daemon: &mut Daemon) -> Result<(), Error> {
    refuse_second()?;
    let error = match start::start(daemon) {
        Ok(Role::Daemon) => {
            start::stop_at_exit();
            return Ok(());
        }
        Ok(Role::Launcher(Ok(ready))) => leave(&ready),
        Ok(Role::Launcher(Err(error))) | Err(error) => error,
    };
    start::start_failed(daemon, &error);
    Err(Messages::of(daemon).withhold(error))
}

/// A second start would close, redirect and report what belongs to the first.
pub(crate) fn refuse_second() -> Result<(), Error> {
    static STARTED: AtomicBool = AtomicBool::new(false);
    if STARTED.swap(true, Relaxed) {
        return Err(Error::new("cannot start a second daemon in one process"));
    }
    Ok(())
}

fn set_up<S, E: Display>(daemon: &mut Daemon, setup: impl FnOnce(&mut Daemon) -> Result<S, E>) -> Result<S, Error> {
    start::refuse_ready_in(|| setup(daemon)).map_err(|error| {
        // `setup` may have failed because the other instance has its socket or its port.
        let own = || Error::new(format!("{error:#}")).and_exit_status(daemon.setup_status);
        start::other_instance(daemon).unwrap_or_else(own)
    })
}

fn fail(daemon: &Daemon, error: &Error) {
    Messages::of(daemon).say(error);
    start::start_failed(daemon, error);
}

fn run_main<T: Termination>(main: impl FnOnce() -> T) -> ExitCode {
    let panicked = Panicked;
    let result = main();
    mem::forget(panicked);
    start::stopping();
    let status = last_words::report(result);
    let number = number_of(status);
    start::ended(&format!("`main` returned exit status {number}"), number);
    status
}

/// Exits the launcher when its daemon is ready.
fn leave(ready: &Ready) -> ! {
    messages::print(&ready.message);
    exit_now(0)
}

/// Dropped if a panic ends `main`, and with it the program.
struct Panicked;

impl Drop for Panicked {
    fn drop(&mut self) {
        start::ended("`main` panicked", PANICKED);
    }
}

pub(crate) fn number_of(status: ExitCode) -> u8 {
    (0..=u8::MAX).find(|&number| ExitCode::from(number) == status).unwrap_or(1)
}
