//! Waiting for a state, with a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything may take that should happen at once.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Looks until there is something to see.
///
/// # Panics
///
/// Panics when the deadline is over.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(DEADLINE, look).unwrap_or_else(|| panic!("waited {DEADLINE:?} in vain for {what}"))
}

/// Looks until there is something to see, or that time is over.
pub fn within<T>(time: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + time;
    loop {
        let seen = look();
        if seen.is_some() || Instant::now() >= end {
            return seen;
        }
        thread::sleep(Duration::from_millis(2));
    }
}
