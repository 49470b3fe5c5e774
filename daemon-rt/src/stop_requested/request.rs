//! The request itself, and the signal that makes it.

use std::{
    io,
    net::Shutdown,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicI32, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use nix::libc::c_int;

use super::{
    forced_end,
    handle::{self, lock},
};
use crate::{
    Error, start,
    sys::{self, Instead, Leaked, ThisProcess},
};

/// What the request is waited for by. It is at its end as soon as the request is made: readable, and never drained.
static LINE: OnceLock<Line> = OnceLock::new();

struct Line {
    reader: UnixStream,
    writer: UnixStream,
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

/// Has the signals make the request in this process. Returns the descriptor to wait by.
pub(super) fn listen() -> Result<BorrowedFd<'static>, Error> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = lock(&ONE_AT_A_TIME);
    if REQUEST.get().is_none() {
        begin()?;
    } else if own().is_none() {
        begin_anew()?;
    }
    descriptor().ok_or_else(|| Error::new("cannot wait for a request to stop"))
}

/// In a process that was forked, it is another request, and whatever waits for it waits for that.
pub(super) fn begin_anew() -> Result<(), Error> {
    if let Some(line) = LINE.get() {
        let new = Line::new()?;
        let reopened = sys::reopen_as(line.reader.as_fd(), new.reader.as_fd())
            .and_then(|()| sys::reopen_as(line.writer.as_fd(), new.writer.as_fd()));
        reopened.and_then(|()| handle::reopen_all(new.reader.as_fd())).map_err(cannot_listen)?;
    }
    begin()
}

#[allow(unsafe_code, reason = "what the handler does is this room's, and so is the reason why it may")]
fn begin() -> Result<(), Error> {
    if LINE.get().is_none() {
        let _ = LINE.set(Line::new()?); // one at a time
    }
    forced_end::prepare()?;
    let (signal, after) = (AtomicI32::new(0), AtomicU64::new(0));
    REQUEST.set(Request { process: ThisProcess::mark(), began: Instant::now(), signal, after });
    // SAFETY: async-signal-safe, as `take` and all that it calls is.
    unsafe { sys::on_termination(take) };
    Ok(())
}

impl Line {
    fn new() -> Result<Self, Error> {
        let (reader, writer) = UnixStream::pair().map_err(cannot_listen)?;
        Ok(Self { reader, writer })
    }
}

pub(super) fn cannot_listen(error: io::Error) -> Error {
    Error::because("cannot wait for a request to stop", error)
}

pub(super) fn descriptor() -> Option<BorrowedFd<'static>> {
    LINE.get().map(|line| line.reader.as_fd())
}

/// The signal that made the request. A forked worker knows what its parent knew then.
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
            if let Some(line) = LINE.get() {
                let _ = line.writer.shutdown(Shutdown::Write);
            }
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
