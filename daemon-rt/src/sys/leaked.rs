//! A value that signal handlers may read while it is replaced.

use std::{
    ptr,
    sync::atomic::{AtomicPtr, Ordering::SeqCst},
};

/// Empty at first. An old value is never freed, because a handler may be using it.
pub(crate) struct Leaked<T>(AtomicPtr<T>);

impl<T: Send + Sync + 'static> Leaked<T> {
    pub(crate) const fn nothing() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    pub(crate) fn set(&self, value: T) {
        self.0.store(Box::into_raw(Box::new(value)), SeqCst);
    }

    /// Async-signal-safe, signal-safety(7).
    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: null, or a box that was leaked.
        unsafe { self.0.load(SeqCst).as_ref() }
    }
}
