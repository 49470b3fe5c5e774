//! Turns a program's `main` into a proper Unix daemon.

mod daemon;
mod error;
mod launch;
#[cfg_attr(not(unix), path = "start_elsewhere.rs")]
mod start;
mod stdio;
#[cfg(unix)]
mod sys;

pub use daemon_macro::daemon;

pub use crate::{
    daemon::{Daemon, Detach},
    error::Error,
    start::ready,
    stdio::Stdio,
};
