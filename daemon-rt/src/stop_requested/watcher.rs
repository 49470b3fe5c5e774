//! The thread that wakes whoever awaits the request: a signal handler cannot.

use std::{
    io, mem,
    os::{fd::AsFd, unix::net::UnixStream},
    sync::Mutex,
    thread::{self, JoinHandle},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{SigSet, SigmaskHow},
};

use super::{
    PAUSE,
    handle::{self, lock},
    request,
};
use crate::sys::{self, ThisProcess};

static WATCHER: Mutex<Option<Watcher>> = Mutex::new(None);

struct Watcher {
    process: ThisProcess,
    /// Its end ends the thread.
    line: UnixStream,
    thread: JoinHandle<()>,
}

/// Starts the thread unless it runs.
pub(super) fn run() -> io::Result<()> {
    let mut watcher = lock(&WATCHER);
    if watcher.as_ref().is_some_and(|watcher| watcher.process.is_current()) {
        return Ok(());
    }
    mem::forget(watcher.take()); // that of the parent of this worker
    let (line, end) = UnixStream::pair()?;
    // It inherits the mask: signals are for the program's own threads.
    let mask = sys::change_mask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()))?;
    let thread = thread::Builder::new().name("stop_requested".into()).spawn(move || watch(&end));
    let _ = mask.thread_set_mask();
    *watcher = Some(Watcher { process: ThisProcess::mark(), line, thread: thread? });
    Ok(())
}

/// Ends the thread, if it runs.
pub(super) fn pause() {
    let Some(Watcher { process, line, thread }) = lock(&WATCHER).take() else { return };
    if process.is_current() {
        drop(line);
        let _ = thread.join();
    } else {
        mem::forget((line, thread)); // those of the parent
    }
}

/// Starts it again where somebody awaits the request.
pub(super) fn resume() {
    if request::made_by().is_some() || handle::is_any_awaited() && run().is_err() {
        handle::wake_all(); // who is woken too early asks again
    }
}

fn watch(end: &UnixStream) {
    let Some(request) = request::descriptor() else { return };
    while request::made_by().is_none() {
        let mut fds = [request, end.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) if fds[1].any() == Some(true) => return,
            Ok(_) | Err(Errno::EINTR) if request::made_by().is_some() => {}
            // The program closed the descriptor, or a filter of system calls denies the wait.
            _ => thread::sleep(PAUSE),
        }
    }
    handle::wake_all();
}
