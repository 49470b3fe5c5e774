//! Logs that are renamed while the daemon writes to them: it opens them anew.

mod log;
pub(crate) mod open;

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicI32, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use nix::{libc, unistd::getpid};

pub(crate) use self::log::Log;
use crate::{Error, sys};

static LOGS: OnceLock<Vec<Log>> = OnceLock::new();

/// The process in which somebody reopens; 0 while nobody does. A process that was forked meanwhile is another.
static AT_WORK: AtomicI32 = AtomicI32::new(0);

/// Whether somebody asked since that began.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Opens the files of stdout and stderr anew that were given by their paths, as SIGHUP does with the option
/// [`reopen_logs`](crate::Daemon::reopen_logs).
///
/// For a program that learns in another way that its logs were renamed. The option has to be set all the same: it is
/// what looks at the start whether this will be possible. What is written meanwhile by other threads goes to the old
/// file or to the new one, and none of it is lost. In the foreground it does nothing, since streams are left alone
/// there. It is not for signal handlers.
///
/// # Errors
///
/// A file cannot be opened; the stream stays what it was, as [`Daemon::reopen_logs`](crate::Daemon::reopen_logs) says.
/// Or there was no start with that option.
///
/// # Platform-specific behavior
///
/// Elsewhere than on Unix it does nothing.
pub fn reopen_logs() -> Result<(), Error> {
    let Some(logs) = LOGS.get() else {
        return Err(Error::new("cannot reopen logs: no daemon was started with `reopen_logs`"));
    };
    reopen_all();
    while ASKED.load(SeqCst) || AT_WORK.load(SeqCst) == getpid().as_raw() {
        thread::sleep(Duration::from_millis(1)); // another thread is at it, once more for this call
    }
    logs.iter().try_for_each(Log::result)
}

/// From now on, SIGHUP opens these anew.
pub(crate) fn watch(logs: Vec<Log>) {
    let _ = LOGS.set(logs); // there is one start in a process
    sys::on_hangup(reopen_all);
}

/// In the foreground the streams are somebody else's. Whoever sends SIGHUP for the logs' sake does not mean the end
/// of the program.
pub(crate) fn leave_alone() {
    let _ = LOGS.set(Vec::new());
    if sys::has_default(libc::SIGHUP) {
        sys::on_hangup(|| {});
    }
}

/// Async-signal-safe, signal-safety(7).
///
/// One at a time: two could put an older file in place last. Who comes second waits for nobody, who may be the thread
/// that the signal interrupted, but has the first start over.
fn reopen_all() {
    ASKED.store(true, SeqCst);
    let own = getpid().as_raw();
    while ASKED.load(SeqCst) {
        let other = AT_WORK.load(SeqCst);
        if other == own {
            return;
        }
        if AT_WORK.compare_exchange(other, own, SeqCst, SeqCst).is_err() {
            continue;
        }
        ASKED.store(false, SeqCst);
        LOGS.get().into_iter().flatten().for_each(Log::reopen);
        AT_WORK.store(0, SeqCst);
    }
}
