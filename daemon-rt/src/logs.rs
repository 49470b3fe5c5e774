//! Logs that are renamed while the daemon writes to them, by others or by the daemon itself. The daemon reopens them.

mod complaint;
mod log;
pub(crate) mod numbered;
pub(crate) mod open_log;
mod rotation;
pub(crate) mod rotator;
mod turn;

use std::{
    mem,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use nix::libc;

pub(crate) use self::log::Log;
pub use self::rotator::rotate_logs;
use self::turn::Turn;
use crate::{Error, sys};

static WATCHED: OnceLock<Watched> = OnceLock::new();

struct Watched {
    logs: Vec<Log>,
    turn: Turn,
}

/// Whether a pass was asked for since the last one began.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Reopens the files of stdout and stderr that were given by their paths, as SIGHUP does with the option
/// [`reopen_logs`](crate::Daemon::reopen_logs).
///
/// It is for programs that learn in another way that their logs were renamed. Set that option nevertheless, or give a
/// log that [rotates](crate::Stdio::rotate): only then does the start check that the logs can be reopened. If other
/// threads write meanwhile, their data goes to the old file or to the new one, and nothing is lost. In the foreground
/// this function does nothing, because streams are left alone there. Do not call it in a signal handler.
///
/// # Errors
///
/// A file cannot be opened. The stream then stays what it was, as [`Daemon::reopen_logs`](crate::Daemon::reopen_logs)
/// says. It is also an error if there was no start with that option.
///
/// # Platform-specific behavior
///
/// On systems other than Unix it does nothing.
pub fn reopen_logs() -> Result<(), Error> {
    let Some(watched) = WATCHED.get() else {
        return Err(Error::new("cannot reopen logs: no daemon was started with `reopen_logs`"));
    };
    watched.reopen_all();
    while ASKED.load(SeqCst) || watched.turn.is_taken() {
        thread::sleep(Duration::from_millis(1)); // another thread makes the pass for this call
    }
    watched.logs.iter().try_for_each(Log::result)
}

/// There is only one start in a process. If a second option needs the logs, it gets the same ones.
fn put(logs: &mut Vec<Log>) -> &'static Watched {
    WATCHED.get_or_init(|| Watched { logs: mem::take(logs), turn: Turn::new() })
}

/// From now on, SIGHUP reopens these logs.
#[allow(unsafe_code, reason = "only this module knows what the handler calls")]
pub(crate) fn begin(logs: &mut Vec<Log>) {
    put(logs);
    let reopen = || {
        if let Some(watched) = WATCHED.get() {
            watched.reopen_all();
        }
    };
    // SAFETY: async-signal-safe, as `reopen_all` and all that it calls is; and `get` only loads an atomic.
    unsafe { sys::on_hangup(reopen) }
}

/// In the foreground, the streams are left alone.
fn put_nothing() {
    let _ = WATCHED.set(Watched { logs: Vec::new(), turn: Turn::of_pid() });
}

/// In the foreground there is nothing to reopen. But whoever sends SIGHUP because of the logs does not mean to end the
/// program.
pub(crate) fn leave_alone() {
    put_nothing();
    if sys::has_default(libc::SIGHUP) {
        sys::outlive_hangup();
    }
}

impl Watched {
    /// Async-signal-safe, signal-safety(7).
    ///
    /// Only one caller at a time makes a pass: of two, the slower one could put an older file in place. The second
    /// caller never waits, because it may be in the thread that the signal interrupted. Instead it makes the running
    /// pass start over.
    fn reopen_all(&self) {
        if self.turn.is_anothers() {
            return;
        }
        ASKED.store(true, SeqCst);
        while ASKED.load(SeqCst) && self.turn.take() {
            ASKED.store(false, SeqCst);
            self.logs.iter().for_each(Log::reopen);
            self.turn.release();
        }
    }
}
