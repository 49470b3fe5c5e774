//! The thread that checks whether a log is beyond its limit, and the call that does so instead.

use std::{
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicI32, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{ASKED, Log, WATCHED, Watched, put, put_nothing};
use crate::{
    Error,
    sys::{self, ThisProcess},
};

/// How often the thread checks.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a joined thread may still be seen: until the kernel has removed it, unshare(2) would fail.
const LINGERS: Duration = Duration::from_secs(1);

/// Enough, because the thread runs none of the program's code.
const STACK: usize = 128 * 1024;

static ROTATOR: OnceLock<Rotator> = OnceLock::new();

/// The thread's id.
static THREAD: AtomicI32 = AtomicI32::new(0);

/// Whether it is to end.
static IS_OVER: AtomicBool = AtomicBool::new(false);

struct Rotator {
    process: ThisProcess,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Rotates the logs that are beyond their limits, as the thread of [`Stdio::rotate`](crate::Stdio::rotate) does. The
/// first call ends that thread. From then on, the program itself has to call this function, as often as the sizes are
/// to be checked.
///
/// When the first call returns, the thread is gone. So if `main` must not have a second thread, call this first. Two
/// kinds of programs need that: those that fork workers, and those that put themselves into a sandbox that only holds
/// for the calling thread, such as those of Landlock, seccomp(2), capset(2) and unshare(2). A thread outside the
/// sandbox would be a way out of it. Inside the sandbox, the rotation must be allowed to rename and create files in the
/// directory of the log.
///
/// ```no_run
/// use std::{thread, time::Duration};
///
/// use daemon_rt::{Error, Stdio, daemon};
///
/// #[daemon(stdout = Stdio::append("/var/log/clockd/clockd.log").rotate(10 << 20, 5))]
/// fn main() -> Result<(), Error> {
///     daemon_rt::rotate_logs()?;
///     loop {
///         println!("up");
///         thread::sleep(Duration::from_secs(60));
///         let _ = daemon_rt::rotate_logs(); // the log says what failed, and goes on as it is
///     }
/// }
/// ```
///
/// In the foreground it does nothing. Do not call it in a signal handler.
///
/// # Errors
///
/// A log that is beyond its limit cannot be rotated. The stream then stays as it was. It is also an error if no log has
/// a limit, or if the process is a worker that was forked from the daemon: only the daemon rotates its logs.
///
/// # Platform-specific behavior
///
/// On systems without fork, it does nothing.
pub fn rotate_logs() -> Result<(), Error> {
    let (Some(rotator), Some(watched)) = (ROTATOR.get(), WATCHED.get()) else {
        return Err(Error::new("cannot rotate logs: no log was given with `rotate`"));
    };
    if !rotator.process.is_current() {
        return Err(Error::new("cannot rotate logs: they belong to the process that forked this one"));
    }
    rotator.end_thread();
    while !watched.rotate_all() {
        thread::sleep(Duration::from_millis(1)); // another thread is doing it
    }
    watched.logs.iter().try_for_each(Log::result_of_rotation)
}

/// In the daemon: starts the thread if any of these logs has a limit.
pub(crate) fn begin(logs: &mut Vec<Log>) -> Result<(), Error> {
    let watched = put(logs);
    let look = || {
        THREAD.store(sys::thread_id(), SeqCst);
        loop {
            thread::park_timeout(INTERVAL);
            if IS_OVER.load(SeqCst) {
                return;
            }
            watched.rotate_all();
        }
    };
    let thread = watched.logs.iter().any(Log::has_limit).then(|| {
        let builder = thread::Builder::new().name("rotate-logs".into()).stack_size(STACK);
        builder.spawn(look) // all signals are blocked until `main`, and stay blocked in the thread
    });
    let thread =
        thread.transpose().map_err(|error| Error::because("cannot start the thread that rotates logs", error))?;
    let _ = ROTATOR.set(Rotator { process: ThisProcess::mark(), thread: Mutex::new(thread) }); // there is one start
    Ok(())
}

/// In the foreground there is nothing to rotate.
pub(crate) fn leave_alone() {
    put_nothing();
    let _ = ROTATOR.set(Rotator { process: ThisProcess::mark(), thread: Mutex::new(None) });
}

impl Rotator {
    fn end_thread(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner); // a second caller waits, too
        if let Some(thread) = thread.take() {
            IS_OVER.store(true, SeqCst);
            thread.thread().unpark();
            let _ = thread.join();
            let start = Instant::now();
            while sys::is_thread(THREAD.load(SeqCst)) && start.elapsed() < LINGERS {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

impl Watched {
    /// False if another caller is working on the logs.
    fn rotate_all(&self) -> bool {
        if !self.turn.take() {
            return false;
        }
        self.logs.iter().for_each(Log::rotate);
        self.turn.release();
        if ASKED.load(SeqCst) {
            self.reopen_all(); // another caller asked meanwhile, and left it to this one
        }
        true
    }
}
