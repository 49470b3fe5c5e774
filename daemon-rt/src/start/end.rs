//! The end of the program, as it is reported to the service manager.

use std::sync::OnceLock;

use super::{ready, sd_notify};
use crate::sys::{self, ThisProcess};

const EXITED: &str = "`main` exited before it was ready";

/// The process whose exit is watched. Its workers do not count.
static WATCHED: OnceLock<ThisProcess> = OnceLock::new();

/// Reports the exit status of `main`, and why, if it is a failure. After a detach, the launcher reports a daemon that
/// was not ready.
pub(crate) fn ended(why: &str, status: u8) {
    let manager = sd_notify::take();
    if let Some(manager) = manager.filter(|_| status != 0 && !ready::is_up_to_launcher()) {
        manager.failed(why, status, None);
    }
}

/// In the foreground: also tells the manager if `main` calls exit(3) before it is ready.
pub(crate) fn watch_exit() {
    WATCHED.get_or_init(ThisProcess::mark);
    let _ = sys::at_exit(exited); // without it, the manager waits for its own timeout
}

/// If a program called `start`, nothing else shows when its `main` returns.
pub(crate) fn stop_at_exit() {
    if sd_notify::is_kept() {
        WATCHED.get_or_init(ThisProcess::mark);
        let _ = sys::at_exit(stop); // without it, the manager sees only the end
    }
}

/// Exit handlers do not get the status.
extern "C" fn exited() {
    if is_watched() && ready::is_up_to_main() {
        sd_notify::say(&format!("STATUS={EXITED}\nERRNO=0"));
    }
}

extern "C" fn stop() {
    if is_watched() {
        sd_notify::stopping();
    }
}

fn is_watched() -> bool {
    WATCHED.get().is_some_and(ThisProcess::is_current)
}
