//! The end of the program, as the service manager hears of it.

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use super::{ready, sd_notify};
use crate::sys;

const EXITED: &str = "`main` exited before it was ready";

/// The process whose exit is watched.
static WATCHED: AtomicU32 = AtomicU32::new(0);

/// The exit status of `main`, and what it means where it is a failure. After a detach, the launcher tells of a daemon that
/// was not ready.
pub(crate) fn ended(why: &str, status: u8) {
    let manager = sd_notify::take();
    if let Some(manager) = manager.filter(|_| status != 0 && !ready::is_up_to_launcher()) {
        manager.failed(why, status, None);
    }
}

/// In the foreground: has the manager hear of a `main` that leaves by exit(3) before it is ready, too.
pub(crate) fn watch_exit() {
    WATCHED.store(process::id(), Relaxed);
    let _ = sys::at_exit(exited); // without it, the manager waits for its time to be over
}

/// Nobody tells an exit handler the status. A worker that was forked has no part in it.
extern "C" fn exited() {
    if WATCHED.load(Relaxed) == process::id() && ready::is_up_to_main() {
        sd_notify::exited(EXITED);
    }
}
