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
//! The page of the attribute, [`daemon`](macro@daemon), is the manual. [`Daemon`] is the same without the attribute.

mod complaints;
mod daemon;
#[cfg(doc)]
pub mod docs;
mod error;
mod id;
#[cfg(unix)]
mod inherited;
#[cfg_attr(not(unix), path = "last_words_elsewhere.rs")]
mod last_words;
mod launch;
#[cfg_attr(not(unix), path = "launched_by_elsewhere.rs")]
mod launched_by;
#[cfg_attr(not(unix), path = "logs_elsewhere.rs")]
mod logs;
#[cfg(unix)]
mod null;
mod pidfile;
#[cfg_attr(not(unix), path = "privileges_elsewhere.rs")]
mod privileges;
#[cfg(test)]
#[cfg(unix)]
mod random;
#[cfg(unix)]
mod refusal;
#[cfg_attr(not(unix), path = "start_elsewhere.rs")]
mod start;
mod stdio;
#[cfg(unix)]
mod sys;
#[cfg_attr(not(unix), path = "syslog_elsewhere.rs")]
mod syslog;
mod terminal;
#[cfg(unix)]
mod threads;
#[cfg(unix)]
mod trusted_path;
mod umask;

#[doc = include_str!("manual.md")]
pub use daemon_macro::daemon;

pub use crate::{
    daemon::{Daemon, Detach},
    error::Error,
    id::Id,
    launched_by::LaunchedBy,
    logs::reopen_logs,
    pidfile::{PidFile, Status, Stopped},
    start::ready,
    stdio::Stdio,
    umask::Umask,
};
