//! Tests that count everything in their own process: children, descriptors, and the memory that ended children took.

use std::sync::{Mutex, MutexGuard, PoisonError};

mod at_once;
mod memory;

const PROBE: &str = env!("CARGO_BIN_EXE_probe");

/// One test at a time: their children and descriptors are those of one process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
