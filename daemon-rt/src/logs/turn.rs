//! Whose turn it is to reopen the logs: one at a time, in the process that they belong to.

use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

use nix::unistd::getpid;

use crate::sys;

/// Async-signal-safe, but for its making.
///
/// The word is the process to which the state in memory belongs, negative while somebody is at work there. A forked worker
/// finds 0, whatever somebody was at when it was forked, and takes its own copy for its own. A child that shares the memory
/// (`CLONE_VM`), but not the descriptors, finds another's.
pub(super) struct Turn {
    word: &'static AtomicI32,
    is_wiped_on_fork: bool,
}

impl Turn {
    /// It belongs to this process.
    pub(super) fn new() -> Self {
        let Ok(word) = sys::wiped_on_fork() else { return Self::of_pid() };
        word.store(own(), SeqCst);
        Self { word, is_wiped_on_fork: true }
    }

    /// Goes by the process id alone, and takes a child that shares the memory for a worker.
    pub(super) fn of_pid() -> Self {
        static WORD: AtomicI32 = AtomicI32::new(0);
        Self { word: &WORD, is_wiped_on_fork: false }
    }

    /// Whether the memory is another process's.
    pub(super) fn is_anothers(&self) -> bool {
        self.means_another(self.word.load(SeqCst))
    }

    /// Whether somebody in this process is at work.
    pub(super) fn is_taken(&self) -> bool {
        self.word.load(SeqCst) == -own()
    }

    /// Whether nobody was at work.
    pub(super) fn take(&self) -> bool {
        let own = own();
        let is_free = |word| word != -own && !self.means_another(word);
        self.word.fetch_update(SeqCst, SeqCst, |word| is_free(word).then_some(-own)).is_ok()
    }

    pub(super) fn give_back(&self) {
        self.word.store(own(), SeqCst);
    }

    fn means_another(&self, word: i32) -> bool {
        self.is_wiped_on_fork && ![0, own(), -own()].contains(&word)
    }
}

fn own() -> i32 {
    getpid().as_raw()
}
