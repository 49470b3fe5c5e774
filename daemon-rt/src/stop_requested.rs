//! A request to stop, by SIGTERM or SIGINT, for a program that ends itself.

mod forced_end;
mod handle;
mod request;
mod watcher;

use std::{
    fmt,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

pub(crate) use self::forced_end::note_options;
use self::handle::Handle;
use crate::Error;

/// From now on, SIGTERM and SIGINT ask the program to stop, instead of ending it. The returned value shows whether it
/// was asked.
///
/// The first of these signals makes the request, which is never taken back. The signal does not end the program; the
/// program ends when `main` returns. So destructors run, the [pidfile](crate::Daemon::pidfile) is removed, and the exit
/// status is that of `main`. A service manager hears `STOPPING=1` when the signal comes, `sd_notify(3)`.
///
/// A second signal ends the process at once, if it comes at least a second after the first: managers and supervisors
/// may send two within microseconds. The process also ends if it takes longer than
/// [`stop_timeout`](crate::Daemon::stop_timeout). In both cases a line on standard error says so; if standard error is
/// the null device, the line goes to the system's log. The pidfile is removed, and the process is ended by the signal.
/// Process 1 of a container exits with 128 plus the number of the signal. Only this process is ended, and none of its
/// children.
///
/// ```no_run
/// use std::{io, thread, time::Duration};
///
/// use daemon_rt::daemon;
///
/// #[daemon(pidfile = "/run/clockd.pid", stdout = "/var/log/clockd.log", stop_timeout = Duration::from_secs(10))]
/// fn main() -> io::Result<()> {
///     let stop = daemon_rt::stop_requested()?;
///     while !stop.wait_timeout(Duration::from_secs(1)) {
///         println!("tick");
///     }
///     println!("stopped");
///     Ok(())
/// }
/// ```
///
/// You may call this function any number of times, from any thread, before the start and after it. If you call it in
/// `setup`, Ctrl-C no longer interrupts `setup`, so `setup` should look at the request itself. If the request is made
/// before the fork, no daemon is started, and the launcher exits with 128 plus the number of the signal. In the
/// foreground, `main` runs, and sees the request. A value from `setup` stays valid in the daemon, and there it reports
/// signals to the daemon. A program that calls [`spawn`](crate::Daemon::spawn) keeps its own request, and still starts
/// the daemon.
///
/// A signal that is ignored stays ignored. If the program installed a handler before this call, it is still called,
/// after the handler of this function. If the program replaces that handler later, the request is still made if the new
/// handler calls the previous one, as those of signal-hook and tokio do. The handler of `ctrlc::set_handler` does not:
/// call this function after it. `ctrlc::try_set_handler` finds this function's handler and refuses. Do not block the
/// two signals, `pthread_sigmask(3)`.
///
/// A worker that is forked and does not exec is ended by these signals, as if it had no handler, until it calls this
/// function itself. If the program that forked it has threads, that call may wait for ever, fork(2).
///
/// # Errors
///
/// There is no descriptor left, or no timer for `stop_timeout`.
///
/// # Platform-specific behavior
///
/// macOS and OpenBSD have no timer that leaves the program's alarm(2) alone. There, `stop_timeout` uses SIGALRM, in
/// whole seconds. On systems other than Unix, no request is ever made: Ctrl-C ends the program.
pub fn stop_requested() -> Result<StopRequested, Error> {
    let handle = request::listen()?;
    let _ = AT_START.set(&Listening);
    Ok(StopRequested { handle })
}

/// The request to stop, from [`stop_requested`]. The program can wait for it, look at it, poll it or await it.
///
/// Once the request is made, all of these return at once, every time. Each value and each clone has a descriptor of its
/// own, which is closed on exec. If no descriptor is left, clones share one. A server with many connections does not
/// need a clone for each of them: it can await the request once, and tell its tasks.
///
/// As a [`Future`] it works with any runtime. The first time that a value is awaited, a thread is started. The thread
/// blocks all signals, wakes the tasks that await the request, and stays. It is stopped for the fork of a start, and
/// started again in the daemon. Only awaiting needs this thread. If it cannot be started, the future is polled again
/// and again, which keeps a processor busy.
///
/// ```no_run
/// use std::{io, net::TcpListener};
///
/// use daemon_rt::daemon;
///
/// #[daemon(notify)]
/// #[tokio::main]
/// async fn main() -> io::Result<()> {
///     let mut stop = daemon_rt::stop_requested()?;
///     let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
///     daemon_rt::ready()?;
///     loop {
///         tokio::select! {
///             () = &mut stop => return Ok(()),
///             client = listener.accept() => drop(client?),
///         }
///     }
/// }
/// ```
///
/// As a descriptor it can be passed to poll(2) and similar calls. It becomes readable when the request is made, and
/// stays readable. Do not read from it. The signal also interrupts poll(2) and `epoll_wait(2)`, which fail with EINTR,
/// [`Interrupted`](std::io::ErrorKind::Interrupted): call them again. It does not interrupt calls such as accept(2),
/// read(2) and waitpid(2), signal(7): a thread that blocks in one of them does not notice the request.
pub struct StopRequested {
    handle: Arc<Handle>,
}

impl StopRequested {
    /// Whether the request is made.
    #[must_use]
    pub fn is_set(&self) -> bool {
        request::made_by().is_some()
    }

    /// Waits for the request.
    pub fn wait(&self) {
        self.wait_until(None);
    }

    /// Waits for the request, but at most for that time. Returns whether the request is made.
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        while !self.is_set() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return false;
            }
            let mut fds = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
            let is_open = request::is_waited_for_by(self.as_fd());
            match is_open.then(|| poll(&mut fds, timeout(left))) {
                Some(Ok(0) | Err(Errno::EINTR)) => {}
                // The program closed the descriptor, or a filter of system calls forbids the wait.
                _ if !self.is_set() => thread::sleep(PAUSE),
                _ => {}
            }
        }
        true
    }
}

/// How often to look for the request if waiting fails.
const PAUSE: Duration = Duration::from_millis(20);

/// In whole milliseconds, rounded up.
fn timeout(left: Option<Duration>) -> PollTimeout {
    let above = |left: Duration| PollTimeout::try_from(left.saturating_add(Duration::from_millis(1)));
    left.map_or(PollTimeout::NONE, |left| above(left).unwrap_or(PollTimeout::MAX))
}

impl Clone for StopRequested {
    fn clone(&self) -> Self {
        Self { handle: self.handle.duplicate() }
    }
}

impl fmt::Debug for StopRequested {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StopRequested").field("is_set", &self.is_set()).finish_non_exhaustive()
    }
}

impl AsFd for StopRequested {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl AsRawFd for StopRequested {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Future for StopRequested {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_set() {
            self.handle.wake_later(context.waker());
            if watcher::run().is_err() {
                context.waker().wake_by_ref(); // there is no thread now, so ask again
            }
        }
        if self.is_set() { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// What a start does in a program that waits for a request. Only [`stop_requested`] refers to it, so the linker leaves
/// it out of all other programs.
pub(crate) trait AtStart: Sync {
    /// Ends the thread, because a fork would not copy it.
    fn pause(&self);

    /// Starts the thread again, if anybody awaits the request.
    fn resume(&self);

    /// In the launcher, with the signals blocked: if the program was asked to stop, no daemon is started.
    fn refuse_if_made(&self) -> Result<(), Error>;

    /// In the daemon, with the signals blocked: a request to the launcher does not count for the daemon, and vice
    /// versa.
    fn renew(&self) -> Result<(), Error>;

    /// In the foreground: from now on, the options apply.
    fn obey_options(&self) -> Result<(), Error>;
}

static AT_START: OnceLock<&'static dyn AtStart> = OnceLock::new();

/// None if the program does not wait for a request.
pub(crate) fn at_start() -> Option<&'static dyn AtStart> {
    AT_START.get().copied()
}

/// If anything awaits the request, it goes on after the start.
pub(crate) fn without_thread<T>(start: impl FnOnce() -> T) -> T {
    at_start().inspect(|request| request.pause());
    let started = start();
    at_start().inspect(|request| request.resume());
    started
}

struct Listening;

impl AtStart for Listening {
    fn pause(&self) {
        watcher::pause();
    }

    fn resume(&self) {
        watcher::resume();
    }

    fn refuse_if_made(&self) -> Result<(), Error> {
        let Some(signal) = request::made_to_this_process() else { return Ok(()) };
        let status = 128_u8.saturating_add(u8::try_from(signal).unwrap_or_default()); // as in a shell
        Err(Error::new("the daemon was asked to stop before it was started").and_exit_status(status))
    }

    fn renew(&self) -> Result<(), Error> {
        request::begin_anew()
    }

    fn obey_options(&self) -> Result<(), Error> {
        forced_end::prepare()
    }
}
