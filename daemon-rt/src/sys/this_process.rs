//! Telling a process from its forked workers.

use std::{
    process,
    sync::atomic::{AtomicI32, Ordering::Relaxed},
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
        let is_own = wiped_on_fork().inspect(|is_own| is_own.store(1, Relaxed)).ok();
        Self { id: process::id(), is_own }
    }

    pub(crate) fn is_current(&self) -> bool {
        self.id == process::id() && self.is_own.is_none_or(|is_own| is_own.load(Relaxed) != 0)
    }
}
