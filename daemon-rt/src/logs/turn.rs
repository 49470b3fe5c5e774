//! Whose turn it is to reopen the logs. Only one caller at a time has it, and only in the process that the logs belong
//! to.

use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

use nix::unistd::getpid;

use crate::sys;

/// Everything but the constructors is async-signal-safe.
///
/// The word is the id of the process to which the state in memory belongs. It is negative while a pass runs. A forked
/// worker finds 0, even if a pass was running at the fork, because its copy of the state is its own. A child that
/// shares the memory (`CLONE_VM`) but not the descriptors finds the id of another process.
pub(super) struct Turn {
    word: &'static AtomicI32,
    is_wiped_on_fork: bool,
}

impl Turn {
    /// The state belongs to this process.
    pub(super) fn new() -> Self {
        let Ok(word) = sys::wiped_on_fork() else { return Self::of_pid() };
        word.store(own(), SeqCst);
        Self { word, is_wiped_on_fork: true }
    }

    /// Takes every process with another id for a worker, also a child that shares the memory.
    pub(super) fn of_pid() -> Self {
        static WORD: AtomicI32 = AtomicI32::new(0);
        Self { word: &WORD, is_wiped_on_fork: false }
    }

    /// Whether the state belongs to another process.
    pub(super) fn is_anothers(&self) -> bool {
        self.means_another(self.word.load(SeqCst))
    }

    /// Whether a pass runs in this process.
    pub(super) fn is_taken(&self) -> bool {
        self.word.load(SeqCst) == -own()
    }

    /// Takes the turn, if no pass is running. Returns whether it has it.
    pub(super) fn take(&self) -> bool {
        let own = own();
        let is_free = |word| word != -own && !self.means_another(word);
        self.word.fetch_update(SeqCst, SeqCst, |word| is_free(word).then_some(-own)).is_ok()
    }

    pub(super) fn release(&self) {
        self.word.store(own(), SeqCst);
    }

    fn means_another(&self, word: i32) -> bool {
        self.is_wiped_on_fork && ![0, own(), -own()].contains(&word)
    }
}

fn own() -> i32 {
    getpid().as_raw()
}
