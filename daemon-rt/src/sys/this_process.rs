//! Telling a process from its forked workers.

use std::{
    process,
    sync::{
        OnceLock,
        atomic::{AtomicI32, Ordering::Relaxed},
    },
};

use super::wiped_on_fork;

/// A mark of the process that set it. The process id alone does not tell: both a daemon and its worker may be process 1,
/// each of its own pid namespace.
#[derive(Debug)]
pub(crate) struct ThisProcess {
    id: u32,
    /// Not 0 in this process, and 0 in its workers. None where the system has nothing of the kind.
    is_own: Option<&'static AtomicI32>,
}

impl ThisProcess {
    pub(crate) fn mark() -> Self {
        static IS_OWN: OnceLock<Option<&AtomicI32>> = OnceLock::new();
        let is_own = *IS_OWN.get_or_init(|| wiped_on_fork().ok());
        if let Some(is_own) = is_own {
            is_own.store(1, Relaxed);
        }
        Self { id: process::id(), is_own }
    }

    /// Async-signal-safe, signal-safety(7).
    pub(crate) fn is_current(&self) -> bool {
        self.id == process::id() && self.is_own.is_none_or(|is_own| is_own.load(Relaxed) != 0)
    }
}
