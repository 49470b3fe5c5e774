//! A crate that takes every name that the expansion could have meant, and denies every lint that it could break.
#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    unused_results,
    clippy::all,
    clippy::pedantic,
    clippy::missing_docs_in_private_items
)]

use ::daemon_rt::{Detach as Mode, daemon as attribute};
use ::std::process::ExitCode as Code;

/// Shadows the standard library.
mod std {
    /// Shadows its module.
    pub(crate) mod process {
        /// Shadows the real one.
        pub(crate) struct ExitCode;
    }
}

/// Shadows `core`.
mod core {}

/// Shadows the runtime.
mod daemon_rt {
    /// Shadows the real one.
    pub(crate) struct Daemon;
}

/// Shadows the prelude's.
struct Result;

/// Shadows the prelude's.
struct Some;

/// Shadows the prelude's.
struct Ok;

/// Shadows the builder.
struct Daemon;

/// Shadows what the expansion returns.
struct ExitCode;

/// Gives every type the methods of the builder.
trait Blanket: ::std::marker::Sized {
    /// Shadows the builder's.
    fn run<T>(self, _: T) -> Code {
        Code::FAILURE
    }

    /// Shadows the builder's.
    fn stdout<T>(self, _: T) -> Daemon {
        Daemon
    }

    /// Shadows the builder's.
    fn umask(self, _: u32) -> Daemon {
        Daemon
    }
}

impl<T> Blanket for T {}

/// Shadows the macro that reports mistakes.
macro_rules! compile_error {
    () => {};
}

/// Shadows the method.
fn run() -> u32 {
    compile_error!();
    let _ = (std::process::ExitCode, daemon_rt::Daemon, Result, Some, Ok, ExitCode);
    let _ = (Daemon.run(0), Daemon.stdout(0), Daemon.umask(0));
    0o022
}

/// The program.
#[attribute(stdout = "/dev/null", umask = run(), detach = Mode::Never)]
fn main() -> Code {
    ::std::println!("hostile");
    Code::FAILURE
}
