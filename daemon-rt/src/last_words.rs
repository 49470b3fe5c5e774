//! What a daemon says when nobody reads its errors: one line of a panic, and of the error that `main` returns, goes to
//! the system's log while standard error is the null device.

use std::{
    io,
    os::fd::AsFd,
    panic::{self, PanicHookInfo},
    process::{ExitCode, Termination},
    sync::{Mutex, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use nix::{
    libc,
    sys::signal::{SigSet, Signal},
};

use crate::{null, start::streams::stand_in::StandIn, syslog, terminal::shown};

/// So many panics are told in a second: a program that survives them may have more than the log can take.
const PANICS: u32 = 10;

type PanicHook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

static LAST_WORDS: OnceLock<LastWords> = OnceLock::new();

struct LastWords {
    name: String,
    /// The number of the null device.
    null: libc::dev_t,
    previous: PanicHook,
}

/// For a daemon whose standard error is the null device, or will be.
pub(crate) fn arm(name: String, null: libc::dev_t) {
    let _ = LAST_WORDS.set(LastWords { name, null, previous: panic::take_hook() }); // there is one start in a process
    panic::set_hook(Box::new(on_panic));
}

/// What `main` returned, on standard error, and as an exit status.
pub(crate) fn report(outcome: impl Termination) -> ExitCode {
    let Some(words) = LastWords::unread() else { return outcome.report() };
    // What is printed, [`Termination`] alone knows.
    let reader = io::stderr().as_fd().try_clone_to_owned().and_then(|null| StandIn::new(null.into()));
    let reader = reader.and_then(|reader| reader.put_in_place().map(|()| reader));
    // With a limit to the size of files, a write to what stands in would end the program, and not one to the null
    // device.
    let _ = SigSet::from(Signal::SIGXFSZ).thread_block();
    let status = outcome.report();
    let printed = reader.and_then(StandIn::read_and_put_away).unwrap_or_default();
    if status != ExitCode::SUCCESS && !printed.is_empty() {
        syslog::say(&words.name, &String::from_utf8_lossy(&printed));
    }
    status
}

fn on_panic(panic: &PanicHookInfo<'_>) {
    tell_panic(panic);
    if let Some(words) = LAST_WORDS.get() {
        (words.previous)(panic);
    }
}

fn tell_panic(panic: &PanicHookInfo<'_>) {
    if let Some(words) = LastWords::unread().filter(|_| is_affordable()) {
        let thread = thread::current();
        syslog::say(&words.name, &format!("thread '{}' {panic}", shown(thread.name().unwrap_or("<unnamed>"))));
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
    /// None where somebody may read standard error now: the launcher, until the daemon is ready, or a file of the
    /// program's own.
    fn unread() -> Option<&'static Self> {
        LAST_WORDS.get().filter(|words| null::is_open_on(libc::STDERR_FILENO, words.null))
    }
}
