//! Turns a program's `main` into a proper Unix daemon.

mod daemon;
mod error;
mod launch;
mod stdio;

#[cfg(unix)]
mod check;
#[cfg(unix)]
mod children;
#[cfg(unix)]
mod detach;
#[cfg(unix)]
mod group;
#[cfg(unix)]
mod inherited;
#[cfg(unix)]
mod launcher;
#[cfg(unix)]
mod leader;
#[cfg(unix)]
mod open;
#[cfg(unix)]
mod ready;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod shown;
#[cfg(unix)]
mod stand_in;
#[cfg(unix)]
mod streams;
#[cfg(unix)]
mod sys;
#[cfg(unix)]
mod threads;

#[cfg(unix)]
mod start;
#[cfg(not(unix))]
#[path = "start_elsewhere.rs"]
mod start;

pub use daemon_macro::daemon;

#[cfg(unix)]
pub use crate::ready::ready;
pub use crate::{
    daemon::{Daemon, Detach},
    error::Error,
    stdio::Stdio,
};
