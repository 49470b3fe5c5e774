//! What a daemon says if nobody reads its standard error. If that is the null device, or takes no more, one line of a
//! panic, and of the error that `main` returns, goes to the system's log.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    panic::{self, PanicHookInfo},
    process::{ExitCode, Termination},
    sync::{Mutex, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use nix::{
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        stat::SFlag,
        statvfs::{Statvfs, fstatvfs},
    },
    unistd,
};

use crate::{messages::Messages, null, stderr_buffer::StderrBuffer, sys, syslog, terminal::shown};

/// At most this many panics are logged in a second: a program that survives them could flood the log.
const PANICS: u32 = 10;

/// A file system with fewer free blocks may be full by the next line.
const FREE_BLOCKS: libc::fsblkcnt_t = 256;

type PanicHook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

static LAST_WORDS: OnceLock<LastWords> = OnceLock::new();

struct LastWords {
    name: String,
    /// The null device, if the start opened standard error on it. If the program itself did so, it does not want its
    /// words to be read.
    null: Option<libc::dev_t>,
    previous: PanicHook,
}

/// In the daemon. `null` is the null device, if standard error is open on it, or will be.
pub(crate) fn arm(name: String, null: Option<libc::dev_t>) {
    let _ = LAST_WORDS.set(LastWords { name, null, previous: panic::take_hook() }); // there is one start in a process
    panic::set_hook(Box::new(on_panic));
}

/// Prints what `main` returned to standard error, and returns its exit status.
pub(crate) fn report(outcome: impl Termination) -> ExitCode {
    let Some(words) = LAST_WORDS.get() else { return outcome.report() };
    let is_unread = words.are_unread();
    let before = Stderr::look();
    if !is_unread && !before.may_refuse() {
        return outcome.report();
    }
    // Only [`Termination`] knows what it prints. So it prints into a buffer.
    let stderr = io::stderr().as_fd().try_clone_to_owned().map(File::from);
    let stderr = stderr.or_else(|_| null::open().map(|null| null.file)); // standard error is closed
    let buffer = stderr.and_then(StderrBuffer::new).and_then(|buffer| buffer.install().map(|()| buffer));
    // If the size of files is limited, a write to the buffer could end the program. A write to the null device would
    // not.
    let _ = SigSet::from(Signal::SIGXFSZ).thread_block();
    let status = outcome.report();
    let printed = buffer.and_then(StderrBuffer::read_and_uninstall).unwrap_or_default();
    let is_told = !is_unread && before.is_open() && io::stderr().write_all(&printed).is_ok();
    if status != ExitCode::SUCCESS && !printed.is_empty() && !is_told {
        syslog::say(&words.name, &String::from_utf8_lossy(&printed));
    }
    status
}

fn on_panic(panic: &PanicHookInfo<'_>) {
    let Some(words) = LAST_WORDS.get() else { return };
    if words.are_unread() {
        words.say(panic);
        return (words.previous)(panic);
    }
    let before = Stderr::look();
    (words.previous)(panic);
    if Stderr::look().refused(panic.to_string().len(), &before) {
        words.say(panic);
    }
}

fn is_affordable() -> bool {
    static SPENT: Mutex<Option<(Instant, u32)>> = Mutex::new(None);
    let mut spent = SPENT.lock().unwrap_or_else(PoisonError::into_inner);
    let (since, count) =
        spent.filter(|(since, _)| since.elapsed() < Duration::from_secs(1)).unwrap_or((Instant::now(), 0));
    *spent = Some((since, count + 1));
    count < PANICS
}

impl LastWords {
    /// Whether nobody reads standard error now. Until the daemon is ready, the launcher reads it; later the program may
    /// have put a file there.
    fn are_unread(&self) -> bool {
        self.null.is_some_and(|null| null::is_open_on(libc::STDERR_FILENO, null))
    }

    fn say(&self, panic: &PanicHookInfo<'_>) {
        if is_affordable() {
            let thread = thread::current();
            syslog::say(&self.name, &format!("thread '{}' {panic}", shown(thread.name().unwrap_or("<unnamed>"))));
        }
    }
}

/// A line for when a signal handler ends the process. It is prepared in memory.
pub(crate) struct LastLine {
    stderr: Vec<u8>,
    syslog: Vec<u8>,
}

impl LastLine {
    pub(crate) fn new(messages: &Messages, text: &str) -> Self {
        Self { stderr: messages.line(text).unwrap_or_default(), syslog: syslog::line(messages.name(), text) }
    }

    /// Prints it on standard error or, if nobody reads that, sends it to the system's log. The process is about to end.
    /// Async-signal-safe, signal-safety(7).
    pub(crate) fn say(&self) {
        let mut deadly = SigSet::from(Signal::SIGXFSZ);
        deadly.add(Signal::SIGPIPE);
        let _ = deadly.thread_block();
        if self.stderr.is_empty() || !self.print() {
            syslog::send_line(&self.syslog);
        }
    }

    /// Tries to print it without waiting. Returns whether somebody can read it.
    fn print(&self) -> bool {
        if LAST_WORDS.get().is_some_and(LastWords::are_unread) {
            return false;
        }
        let stderr = io::stderr();
        let mut fds = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
        let is_free = poll(&mut fds, PollTimeout::ZERO).is_ok() && fds[0].revents() == Some(PollFlags::POLLOUT);
        is_free && unistd::write(&stderr, &self.stderr) == Ok(self.stderr.len())
    }
}

/// What can be learned about standard error without writing to it. The panic hook does write, but does not say whether
/// that failed.
enum Stderr {
    Closed,
    File { size: i64, may_be_full: bool },
    Other { is_broken: bool },
}

impl Stderr {
    fn look() -> Self {
        let Ok(status) = sys::status_of(libc::STDERR_FILENO) else { return Self::Closed };
        let stderr = io::stderr();
        match sys::kind_of(&status) {
            SFlag::S_IFREG => {
                let has_room = |found: Statvfs| found.blocks_available() >= FREE_BLOCKS;
                Self::File { size: status.st_size, may_be_full: !fstatvfs(&stderr).is_ok_and(has_room) }
            }
            // A write of no bytes fails on a terminal that hung up, and on /dev/full.
            SFlag::S_IFCHR => Self::Other { is_broken: unistd::write(&stderr, &[]).is_err() },
            // On a socket, even a write of no bytes is a message. The reader of a pipe may have left.
            _ => {
                let mut stderr = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
                let _ = poll(&mut stderr, PollTimeout::ZERO);
                let events = stderr[0].revents().unwrap_or(PollFlags::empty());
                Self::Other { is_broken: events.intersects(PollFlags::POLLERR | PollFlags::POLLHUP) }
            }
        }
    }

    fn is_open(&self) -> bool {
        !matches!(self, Self::Closed)
    }

    fn may_refuse(&self) -> bool {
        match *self {
            Self::Closed => true,
            Self::File { may_be_full, .. } => may_be_full,
            Self::Other { is_broken } => is_broken,
        }
    }

    /// Whether a write of `length` bytes since then has failed, or written less.
    fn refused(&self, length: usize, before: &Self) -> bool {
        match (self, before) {
            (Self::File { size, .. }, Self::File { size: before, .. }) => {
                let grown = usize::try_from(size - before);
                self.may_refuse() && grown.is_ok_and(|grown| grown < length)
            }
            _ => self.may_refuse(),
        }
    }
}
