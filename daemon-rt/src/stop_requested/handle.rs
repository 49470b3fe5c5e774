//! Who waits for the request: a descriptor and a waker for each.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::Waker,
};

use super::request::cannot_listen;
use crate::{Error, sys};

pub(super) struct Handle {
    descriptor: Arc<OwnedFd>,
    waker: Mutex<Option<Waker>>,
}

static HANDLES: Mutex<Vec<Weak<Handle>>> = Mutex::new(Vec::new());

impl Handle {
    pub(super) fn new(request: BorrowedFd<'_>) -> Result<Arc<Self>, Error> {
        let descriptor = request.try_clone_to_owned().map_err(cannot_listen)?;
        Ok(Self::of(Arc::new(descriptor)))
    }

    /// Where there is no descriptor left, the two share one.
    pub(super) fn duplicate(&self) -> Arc<Self> {
        Self::new(self.as_fd()).unwrap_or_else(|_| Self::of(Arc::clone(&self.descriptor)))
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

/// Opens all of them anew.
pub(super) fn reopen_all(request: BorrowedFd<'_>) -> io::Result<()> {
    all().iter().try_for_each(|handle| sys::reopen_as(handle.as_fd(), request))
}

pub(super) fn wake_all() {
    let wakers = all().into_iter().filter_map(|handle| lock(&handle.waker).take());
    wakers.for_each(Waker::wake);
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
