//! Tells a process from its forked workers.

use std::{
    process,
    sync::{
        OnceLock,
        atomic::{AtomicI32, Ordering::SeqCst},
    },
};

use super::wiped_on_fork;

/// A mark of the process that set it. The process id alone does not suffice: a daemon and its worker may both be
/// process 1, each in its own pid namespace.
#[derive(Debug)]
pub(crate) struct ThisProcess {
    id: u32,
    number: i32,
}

impl ThisProcess {
    pub(crate) fn mark() -> Self {
        static LAST: AtomicI32 = AtomicI32::new(0);
        if let Some(number) = number_of_this_process() {
            // It is 0 in a process that has no number yet. A worker goes on from its parent's number.
            let _ = number.compare_exchange(0, LAST.fetch_add(1, SeqCst) + 1, SeqCst, SeqCst);
        }
        Self { id: process::id(), number: number_of_this_process().map_or(0, |number| number.load(SeqCst)) }
    }

    /// Async-signal-safe, signal-safety(7), because a mark was set before.
    pub(crate) fn is_current(&self) -> bool {
        let has_number = |number: &AtomicI32| number.load(SeqCst) == self.number;
        self.id == process::id() && number_of_this_process().is_none_or(has_number)
    }
}

/// None if the system has no such memory.
fn number_of_this_process() -> Option<&'static AtomicI32> {
    static NUMBER: OnceLock<Option<&AtomicI32>> = OnceLock::new();
    *NUMBER.get_or_init(|| wiped_on_fork().ok())
}
