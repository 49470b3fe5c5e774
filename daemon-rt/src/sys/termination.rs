//! SIGTERM and SIGINT where their default action does not do: it leaves a pidfile behind, and has no effect on process 1 of
//! a pid namespace, `pid_namespaces(7)`.

use std::{
    process, ptr,
    sync::atomic::{AtomicI32, AtomicPtr, Ordering::SeqCst},
};

use nix::{
    errno::Errno,
    libc::{self, c_int},
    unistd::getpid,
};

use super::{
    HeldFile, ThisProcess, exit_now, kill,
    signals::{action, action_of, default_action, has_default, set_action},
};

const SIGNALS: [c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// Whose end it is, and what goes with it.
struct End {
    process: ThisProcess,
    file: Option<HeldFile>,
}

/// Never freed: a handler may be at it.
static END: AtomicPtr<End> = AtomicPtr::new(ptr::null_mut());

/// While a file comes into being: 0, or the signal that came since then.
static HELD_BACK: AtomicI32 = AtomicI32::new(NOT_HELD_BACK);

const NOT_HELD_BACK: c_int = -1;

/// From now on, SIGTERM and SIGINT remove the file, and then end this process as they do by default. Process 1 exits with
/// the status that a shell has for that. In forked workers they have their default action, and so they have after
/// [`leave_termination_alone`]. A signal that is ignored stays so, and so does one that has a handler.
pub(crate) fn handle_termination(file: Option<HeldFile>) {
    set_end(file);
    install();
}

/// As [`handle_termination`] without a file, where that makes a difference.
pub(crate) fn handle_termination_of_process_1() {
    if process::id() == 1 {
        mark_process();
        install();
    }
}

/// As [`handle_termination`] for the file that `create` may hand to it. A signal that comes before `create` is done waits,
/// whichever thread gets it: it would find a file of which nobody knows yet.
pub(crate) fn hold_back_termination<T>(create: impl FnOnce() -> T) -> T {
    mark_process();
    HELD_BACK.store(0, SeqCst);
    install();
    let created = create();
    let signal = HELD_BACK.swap(NOT_HELD_BACK, SeqCst);
    if current_end().is_none_or(|end| end.file.is_none()) {
        uninstall();
    }
    if signal > 0 {
        let _ = kill(getpid(), signal);
    }
    created
}

/// SIGTERM and SIGINT have their default action again.
pub(crate) fn leave_termination_alone() {
    if current_end().is_some() {
        uninstall();
        set_end(None);
    }
}

/// For an end without a signal.
pub(crate) fn remove_held_file() {
    if let Some(file) = current_end().and_then(|end| end.file.as_ref()) {
        file.remove();
    }
}

fn mark_process() {
    if current_end().is_none() {
        set_end(None);
    }
}

fn set_end(file: Option<HeldFile>) {
    END.store(Box::into_raw(Box::new(End { process: ThisProcess::mark(), file })), SeqCst);
}

/// None in a forked worker, too. Async-signal-safe: it loads atomics, and asks for the process id.
fn current_end() -> Option<&'static End> {
    // SAFETY: null, or a box that was leaked.
    unsafe { END.load(SeqCst).as_ref() }.filter(|end| end.process.is_current())
}

fn install() {
    for signal in SIGNALS.into_iter().filter(|&signal| has_default(signal)) {
        let mut action = action_of(handler());
        action.sa_flags = libc::SA_RESTART; // a signal that is held back does nothing
        set_action(signal, &action);
    }
}

fn uninstall() {
    for signal in SIGNALS.into_iter().filter(|&signal| is_handled(signal)) {
        default_action(signal);
    }
}

fn handler() -> libc::sighandler_t {
    let handler: extern "C" fn(c_int) = handle;
    handler as libc::sighandler_t
}

fn is_handled(signal: c_int) -> bool {
    action(signal).is_some_and(|action| action.sa_sigaction == handler())
}

/// A handler that was installed later may call this one: signal-hook's does, and with it tokio's. Then the signal is that
/// one's.
extern "C" fn handle(signal: c_int) {
    let errno = Errno::last_raw();
    if is_handled(signal) && !is_held_back(signal) {
        end_by(signal);
    }
    Errno::set_raw(errno);
}

/// The first signal is the one that waits.
fn is_held_back(signal: c_int) -> bool {
    current_end().is_some() && HELD_BACK.compare_exchange(0, signal, SeqCst, SeqCst) != Err(NOT_HELD_BACK)
}

/// Async-signal-safe, signal-safety(7).
fn end_by(signal: c_int) {
    if let Some(end) = current_end() {
        if let Some(file) = &end.file {
            file.remove();
        }
        if process::id() == 1 {
            exit_now(128_u8.saturating_add(u8::try_from(signal).unwrap_or_default()));
        }
    }
    default_action(signal);
    // SAFETY: has no preconditions. The signal is blocked until the handler returns, and comes then.
    unsafe { libc::raise(signal) };
}
