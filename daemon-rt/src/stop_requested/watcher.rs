//! The thread that wakes whoever awaits the request. A signal handler cannot.

use std::{
    io, mem,
    os::unix::net::UnixStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{SigSet, SigmaskHow},
};

use super::{
    PAUSE,
    handle::{self, lock},
    request,
};
use crate::sys::{self, OwnFd, ThisProcess};

static WATCHER: Mutex<Option<Watcher>> = Mutex::new(None);

struct Watcher {
    process: ThisProcess,
    is_over: Arc<AtomicBool>,
    /// Makes the thread look at `is_over`.
    line: OwnFd,
    thread: JoinHandle<()>,
}

/// Starts the thread, unless it is running.
pub(super) fn run() -> io::Result<()> {
    let mut watcher = lock(&WATCHER);
    if watcher.as_ref().is_some_and(|watcher| watcher.process.is_current()) {
        return Ok(());
    }
    mem::forget(watcher.take()); // it belongs to the parent of this worker
    let (line, end) = UnixStream::pair()?;
    let (line, end) = (OwnFd::new(line)?, OwnFd::new(end)?);
    let is_over = Arc::new(AtomicBool::new(false));
    let is_over_for_it = Arc::clone(&is_over);
    // The thread inherits this mask: signals go to the program's own threads.
    let mask = sys::change_mask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()))?;
    let thread = thread::Builder::new().name("stop_requested".into()).spawn(move || watch(&end, &is_over_for_it));
    let _ = mask.thread_set_mask();
    *watcher = Some(Watcher { process: ThisProcess::mark(), is_over, line, thread: thread? });
    Ok(())
}

/// Ends the thread, if it is running.
pub(super) fn pause() {
    let Some(Watcher { process, is_over, line, thread }) = lock(&WATCHER).take() else { return };
    if process.is_current() {
        is_over.store(true, SeqCst);
        line.get().inspect(|line| sys::shut_down(*line)); // a worker may have it open, too
        let _ = thread.join();
    } else {
        mem::forget((line, thread)); // they belong to the parent
    }
}

/// Starts the thread again, if anybody awaits the request.
pub(super) fn resume() {
    if handle::is_any_awaited() && run().is_err() {
        handle::wake_all(); // whoever is woken too early asks again
    }
}

fn watch(end: &OwnFd, is_over: &AtomicBool) {
    while request::made_by().is_none() {
        if let (Some(request), Some(end)) = (request::descriptor(), end.get()) {
            let _ = poll(&mut [request, end].map(|fd| PollFd::new(fd, PollFlags::POLLIN)), PollTimeout::NONE);
        }
        if is_over.load(SeqCst) {
            return;
        }
        if request::made_by().is_none() {
            thread::sleep(PAUSE); // the program closed a descriptor, or a filter of system calls forbids the wait
        }
    }
    handle::wake_all();
}
