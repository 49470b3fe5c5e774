//! All signals. They are noted, and looked at later.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use nix::libc::{self, c_int};

use super::signals::{Action, LAST_SIGNAL, note};

/// By the number of the signal.
static CAUGHT: [AtomicBool; LAST_SIGNAL as usize + 1] = [const { AtomicBool::new(false) }; LAST_SIGNAL as usize + 1];

/// From [`catch_all`](Self::catch_all) on, a signal that can be caught is only noted.
#[derive(Debug)]
pub(crate) struct CaughtSignals(Vec<Action>);

impl CaughtSignals {
    pub(crate) fn catch_all() -> Self {
        let can_be_caught = |signal: &c_int| ![libc::SIGKILL, libc::SIGSTOP].contains(signal);
        Self((1..=LAST_SIGNAL).filter(can_be_caught).map(|signal| note(signal, catch)).collect())
    }

    /// Whether it has come since it was last taken.
    #[allow(clippy::unused_self, reason = "without it none is caught")]
    pub(crate) fn take(&self, signal: c_int) -> bool {
        caught(signal).is_some_and(|caught| caught.swap(false, SeqCst))
    }

    /// The same, and it stays so.
    #[allow(clippy::unused_self, reason = "without it none is caught")]
    pub(crate) fn has(&self, signal: c_int) -> bool {
        caught(signal).is_some_and(|caught| caught.load(SeqCst))
    }

    /// Which of the others have come since they were last taken.
    pub(crate) fn take_all_but(&self, is_left: impl Fn(c_int) -> bool) -> impl Iterator<Item = c_int> {
        (1..=LAST_SIGNAL).filter(move |&signal| !is_left(signal) && self.take(signal))
    }

    /// Drops the others, as if they had not come.
    pub(crate) fn forget_all_but(&self, kept: &[c_int]) {
        self.take_all_but(|signal| kept.contains(&signal)).for_each(drop);
    }

    /// Restores the previous actions.
    pub(crate) fn restore(self) {
        self.0.into_iter().for_each(Action::restore);
    }
}

/// Async-signal-safe, signal-safety(7).
extern "C" fn catch(signal: c_int) {
    if let Some(caught) = caught(signal) {
        caught.store(true, SeqCst);
    }
}

fn caught(signal: c_int) -> Option<&'static AtomicBool> {
    CAUGHT.get(usize::try_from(signal).ok()?)
}
