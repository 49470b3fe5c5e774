//! The request itself, and the signal that makes it.

use std::{
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use nix::{errno::Errno, libc::c_int};

use super::{
    forced_end,
    handle::{self, Handle, lock},
};
use crate::{
    Error, start,
    sys::{self, Instead, Leaked, OwnFd, ThisProcess},
};

/// The socket pair on which the request is awaited. When the request is made, it is shut down: it stays readable, and
/// is never drained.
static LINE: Leaked<Line> = Leaked::nothing();

struct Line {
    reader: OwnFd,
    writer: OwnFd,
}

/// What is known of the request in this process.
static REQUEST: Leaked<Request> = Leaked::nothing();

struct Request {
    process: ThisProcess,
    began: Instant,
    /// The signal that made it, or 0.
    signal: AtomicI32,
    /// How many nanoseconds after the beginning it came.
    after: AtomicU64,
}

/// From now on, the signals make the request in this process. Returns the handle to wait for it.
pub(super) fn listen() -> Result<Arc<Handle>, Error> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = lock(&ONE_AT_A_TIME);
    let is_first = own().is_none();
    if is_first || descriptor().is_none() {
        open_line().map_err(cannot_listen)?;
    }
    if made_to_this_process().is_some() {
        end_line();
    }
    let line = descriptor().ok_or_else(|| cannot_listen(Errno::EBADF.into()))?;
    let handle = Handle::new(line).map_err(cannot_listen)?;
    if is_first {
        begin()?;
    }
    Ok(handle)
}

/// A forked process has a request of its own. Whatever waited for the old one now waits for this one.
pub(super) fn begin_anew() -> Result<(), Error> {
    open_line().map_err(cannot_listen)?;
    begin()
}

fn open_line() -> io::Result<()> {
    let (reader, writer) = UnixStream::pair()?;
    let before = LINE.get();
    if let Some(line) = before {
        handle::reopen_all(&line.reader, reader.as_fd())?;
    }
    LINE.set(Line { reader: OwnFd::new(reader)?, writer: OwnFd::new(writer)? });
    if let Some(line) = before {
        line.reader.close();
        line.writer.close();
    }
    Ok(())
}

#[allow(unsafe_code, reason = "what the handler does is this room's, and so is the reason why it may")]
fn begin() -> Result<(), Error> {
    forced_end::prepare()?;
    let (signal, after) = (AtomicI32::new(0), AtomicU64::new(0));
    REQUEST.set(Request { process: ThisProcess::mark(), began: Instant::now(), signal, after });
    // SAFETY: async-signal-safe, as `take` and all that it calls is.
    unsafe { sys::on_termination(take) };
    Ok(())
}

fn cannot_listen(error: io::Error) -> Error {
    Error::because("cannot wait for a request to stop", error)
}

/// Async-signal-safe, signal-safety(7).
fn end_line() {
    if let Some(writer) = LINE.get().and_then(|line| line.writer.get()) {
        sys::shut_down(writer);
    }
}

/// None if the program closed it.
pub(super) fn descriptor() -> Option<BorrowedFd<'static>> {
    LINE.get().and_then(|line| line.reader.get())
}

/// False if the program closed the descriptor, and may have a file of its own under its number.
pub(super) fn is_waited_for_by(descriptor: BorrowedFd<'_>) -> bool {
    LINE.get().is_some_and(|line| line.reader.has_file_under(descriptor.as_raw_fd()))
}

/// The signal that made the request. A forked worker knows only of a request that was made before the fork.
pub(super) fn made_by() -> Option<c_int> {
    REQUEST.get().and_then(Request::made_by)
}

pub(super) fn made_to_this_process() -> Option<c_int> {
    own().and_then(Request::made_by)
}

/// None in a forked worker. Async-signal-safe.
fn own() -> Option<&'static Request> {
    REQUEST.get().filter(|request| request.process.is_current())
}

impl Request {
    fn made_by(&self) -> Option<c_int> {
        Some(self.signal.load(SeqCst)).filter(|&signal| signal != 0)
    }
}

/// What a signal does. Async-signal-safe, signal-safety(7).
fn take(signal: c_int) -> Instead {
    let Some(request) = own() else { return Instead::AsIfNotAsked };
    let now = request.began.elapsed();
    match request.signal.compare_exchange(0, signal, SeqCst, SeqCst) {
        Ok(_) => {
            request.after.store(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX), SeqCst);
            end_line();
            forced_end::start_timer();
            start::stopping_at_once();
            Instead::Nothing
        }
        Err(first) => {
            let since = match request.after.load(SeqCst) {
                0 => Duration::ZERO, // another thread is about to write it
                after => now.saturating_sub(Duration::from_nanos(after)),
            };
            if forced_end::is_due(since) { Instead::EndBy(first) } else { Instead::Nothing }
        }
    }
}
