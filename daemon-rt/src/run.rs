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

impl Daemon {
    /// Starts the daemon, and runs `main` in it.
    ///
    /// Returns where `main` ran, with its exit status: in the daemon or, without a detach, in the foreground. It
    /// returns in the launcher only when the start fails before the first fork, and has said why on stderr then; a
    /// launcher that forked leaves with `_exit(2)`, and its destructors and atexit handlers do not run.
    ///
    /// The launcher exits with 0 if and only if the daemon is ready. Otherwise it exits as the daemon did: with its
    /// status, or 128 and the signal that ended it; with 1 when it exited with 0 before it was ready, when a step
    /// failed, and when `start_timeout` was over. No process of the daemon's process group is left behind then.
    pub fn run<T: Termination>(&mut self, main: impl FnOnce() -> T) -> ExitCode {
        self.run_with(|_| Ok::<_, Error>(()), |()| main())
    }

    /// Runs `setup`, starts the daemon, and runs `main` in it, as [`run`](Self::run) does. What `setup` returns is
    /// handed to `main`. In the attribute, this is the option `setup`.
    ///
    /// `setup` runs in the launcher before anything changes, with its terminal, directory, environment, descriptors and
    /// privileges. It is the place to parse the command line, to bind sockets, and to change options. It must not leave
    /// a thread behind: only the calling thread lives on after a fork.
    ///
    /// If it fails, its error is shown as `{:#}` shows it, and the launcher exits with 1. But if another instance holds
    /// the [`pidfile`](Self::pidfile), that is what is shown, since it is what `setup` ran into. A program that stops
    /// or reloads its daemon in `setup` sets the pidfile after that.
    ///
    /// - **Takes:** the path of a function, `fn(&mut Daemon) -> Result<S, E>`, where `E` can be displayed; `main` takes
    ///   the `S`.
    /// - **Default:** none.
    /// - **Foreground:** applies.
    /// - **Errors:** its own; a thread that it leaves behind.
    /// - **Rule:** fork(2), for what crosses it.
    /// - **Known as:** `ExecStartPre=` in systemd.service(5), and the code before the call of daemon(3).
    pub fn run_with<S, E: Display, T: Termination>(
        &mut self,
        setup: impl FnOnce(&mut Daemon) -> Result<S, E>,
        main: impl FnOnce(S) -> T,
    ) -> ExitCode {
        match set_up_and_start(self, setup) {
            Ok(value) => run_main(|| main(value)),
            Err(error) => {
                Messages::of(self).say("", &error);
                ExitCode::FAILURE
            }
        }
    }

    /// Locks the [`pidfile`](Self::pidfile) now, and not only after `setup`: for one that binds or removes a socket,
    /// which is another instance's as long as that runs.
    ///
    /// # Errors
    ///
    /// Another instance runs, as the message says; the file cannot be opened or locked; or there is no pidfile.
    ///
    /// # Platform-specific behavior
    ///
    /// An error where there is no flock(2).
    pub fn lock(&mut self) -> Result<(), Error> {
        start::lock(self)
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
