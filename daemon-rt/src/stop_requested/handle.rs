//! Those who wait for the request: each has a descriptor and a waker.

#[cfg(test)]
mod tests;

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::Waker,
};

use super::request;
use crate::sys::{self, OwnFd};

pub(super) struct Handle {
    descriptor: Arc<OwnedFd>,
    waker: Mutex<Option<Waker>>,
}

static HANDLES: Mutex<Vec<Weak<Handle>>> = Mutex::new(Vec::new());

impl Handle {
    pub(super) fn new(request: BorrowedFd<'_>) -> io::Result<Arc<Self>> {
        Ok(Self::of(Arc::new(request.try_clone_to_owned()?)))
    }

    /// If no descriptor is left, the two share one.
    pub(super) fn duplicate(&self) -> Arc<Self> {
        let own = request::descriptor().and_then(|line| Self::new(line).ok());
        own.unwrap_or_else(|| Self::of(Arc::clone(&self.descriptor)))
    }

    fn of(descriptor: Arc<OwnedFd>) -> Arc<Self> {
        let handle = Arc::new(Self { descriptor, waker: Mutex::new(None) });
        let mut handles = lock(&HANDLES);
        handles.retain(|handle| handle.strong_count() > 0);
        handles.push(Arc::downgrade(&handle));
        handle
    }

    pub(super) fn wake_later(&self, waker: &Waker) {
        lock(&self.waker).get_or_insert_with(|| waker.clone()).clone_from(waker);
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !request::is_waited_for_by(self.as_fd()) {
            mem::forget(Arc::clone(&self.descriptor)); // the number belongs to the program now
        }
    }
}

/// Reopens all of them, except for those that the program closed: it may have files of its own under their numbers.
pub(super) fn reopen_all(before: &OwnFd, request: BorrowedFd<'_>) -> io::Result<()> {
    let all = all();
    let mut open = all.iter().filter(|handle| before.has_file_under(handle.as_fd().as_raw_fd()));
    open.try_for_each(|handle| sys::reopen_as(handle.as_fd(), request))
}

pub(super) fn wake_all() {
    let wakers = all().into_iter().filter_map(|handle| lock(&handle.waker).take());
    // If one of them panics, the others are still woken.
    wakers.for_each(|waker| _ = panic::catch_unwind(AssertUnwindSafe(|| waker.wake())));
}

pub(super) fn is_any_awaited() -> bool {
    all().iter().any(|handle| lock(&handle.waker).is_some())
}

fn all() -> Vec<Arc<Handle>> {
    lock(&HANDLES).iter().filter_map(Weak::upgrade).collect()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
