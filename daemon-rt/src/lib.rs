//! Turns a program's `main` into a proper Unix daemon.
//!
//! ```no_run
//! use daemon_rt::daemon;
//!
//! #[daemon(stdout = "/var/log/clockd.log", umask = 0o022)]
//! fn main() {
//!     println!("up");
//! }
//! ```
//!
//! The manual is the page of the attribute, [`daemon`](macro@daemon). [`Daemon`] does the same without the attribute:
//! [`Daemon::start`] turns the program into a daemon in the middle of a function, and [`Daemon::spawn`] starts a
//! daemon while the program itself goes on.
#![cfg_attr(not(unix), allow(dead_code, reason = "without a fork, much of a start has no use"))]

mod control;
mod daemon;
#[cfg(doc)]
pub mod docs;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod id;
#[cfg_attr(not(unix), path = "elsewhere/inherited.rs")]
mod inherited;
#[cfg_attr(not(unix), path = "elsewhere/last_words.rs")]
mod last_words;
#[cfg_attr(not(unix), path = "elsewhere/launched_by.rs")]
mod launched_by;
#[cfg_attr(not(unix), path = "elsewhere/logs.rs")]
mod logs;
mod messages;
#[cfg(unix)]
mod null;
#[cfg_attr(not(unix), path = "elsewhere/obey.rs")]
mod obey;
mod pidfile;
#[cfg_attr(not(unix), path = "elsewhere/privileges.rs")]
mod privileges;
#[cfg(unix)]
mod proc;
#[cfg(all(test, unix))]
mod random;
mod respawn;
mod run;
#[cfg_attr(not(unix), path = "elsewhere/start.rs")]
mod start;
#[cfg(unix)]
mod stderr_buffer;
mod stdio;
#[cfg_attr(not(unix), path = "elsewhere/stop_requested.rs")]
mod stop_requested;
#[cfg(unix)]
mod sys;
#[cfg_attr(not(unix), path = "elsewhere/syslog.rs")]
mod syslog;
mod terminal;
#[cfg(unix)]
mod threads;
#[cfg(unix)]
mod trusted_path;
mod umask;
#[cfg(unix)]
mod upgrades;

// The last line of the page hides what rustdoc appends to it.
#[allow(rustdoc::invalid_html_tags)]
#[doc = include_str!("manual.md")]
pub use daemon_macro::daemon;

pub use crate::{
    control::Control,
    daemon::{Daemon, Detach},
    error::Error,
    id::Id,
    launched_by::LaunchedBy,
    logs::{reopen_logs, rotate_logs},
    pidfile::{PidFile, Status, Stopped},
    respawn::Respawn,
    start::{Spawned, ready, ready_with},
    stdio::Stdio,
    stop_requested::{StopRequested, stop_requested},
    umask::Umask,
};
