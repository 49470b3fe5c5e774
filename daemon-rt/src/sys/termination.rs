//! SIGTERM and SIGINT, for processes in which their default action does not suffice: it would leave a pidfile behind,
//! and it has no effect on process 1 of a pid namespace, `pid_namespaces(7)`.

use std::{
    process, ptr,
    sync::{
        OnceLock,
        atomic::{AtomicI32, AtomicPtr, Ordering::SeqCst},
    },
};

use nix::{
    errno::Errno,
    libc::{self, c_int, c_void, siginfo_t},
    sys::signal::{SigSet, Signal},
    unistd::getpid,
};

use super::{
    HeldFile, Leaked, ThisProcess, exit_now, kill,
    previous_handler::PreviousHandler,
    signals::{action, default_action, has_default, is_ignored, set_action},
};

const SIGNALS: [c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// The process that the signals end, and the file that is then removed.
struct End {
    process: ThisProcess,
    file: Option<HeldFile>,
}

static END: Leaked<End> = Leaked::nothing();

/// While a file is being created: 0, or the signal that has come since.
static HELD_BACK: AtomicI32 = AtomicI32::new(NOT_HELD_BACK);

const NOT_HELD_BACK: c_int = -1;

/// What a signal does instead, if the program asked to be told of it.
static INSTEAD: OnceLock<fn(c_int) -> Instead> = OnceLock::new();

pub(crate) enum Instead {
    Nothing,
    EndBy(c_int),
    /// In a forked worker: what the signal would do if the program had not asked.
    AsIfNotAsked,
}

/// The handlers that ours replaced, for each of the signals.
static PREVIOUS: [OnceLock<PreviousHandler>; 2] = [const { OnceLock::new() }; 2];

/// The `siginfo_t` of the signal for which the previous handler is being called. That handler may call ours in turn.
static CALLS_PREVIOUS: AtomicPtr<siginfo_t> = AtomicPtr::new(ptr::null_mut());

/// From now on, SIGTERM and SIGINT remove the file, and then end this process as they do by default. Process 1 exits
/// with the status that a shell would report. In forked workers, and after [`leave_termination_alone`], they have their
/// default action. A signal that is ignored, or has a handler, stays as it is.
pub(crate) fn handle_termination(file: Option<HeldFile>) {
    set_end(file);
    install();
}

/// The same as [`handle_termination`] without a file, if that makes a difference.
pub(crate) fn handle_termination_of_process_1() {
    if process::id() == 1 {
        mark_process();
        install();
    }
}

/// The same as [`handle_termination`], for the file that `create` may give to it. A signal that comes before `create`
/// has finished waits, whichever thread gets it: nobody knows of the file yet.
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

/// From now on, a signal does what `instead` says. Handlers that the program has installed are still called, and
/// signals that are ignored stay ignored. A second call in a process installs the handler again if another one has
/// replaced it.
///
/// # Safety
///
/// All that `instead` does is async-signal-safe, signal-safety(7).
pub(crate) unsafe fn on_termination(instead: fn(c_int) -> Instead) {
    mark_process();
    let _ = INSTEAD.set(instead);
    for (signal, previous) in SIGNALS.into_iter().zip(&PREVIOUS) {
        // If ours has called a handler before, the one that has replaced it since either calls ours in turn, or does
        // not want it.
        let is_below = previous.get().is_some() && !has_default(signal);
        if is_below || is_handled(signal) || is_ignored(signal) {
            continue;
        }
        let found = PreviousHandler::of(signal);
        let action = PreviousHandler::followed_by(found.as_ref(), handle);
        if let Some(found) = found {
            let _ = previous.set(found);
        }
        set_action(signal, &action);
    }
}

/// Lets a timer's signal go to the same handler. Async-signal-safe.
#[cfg(any(target_vendor = "apple", target_os = "openbsd"))]
pub(super) fn handle_also(signal: c_int) {
    set_action(signal, &PreviousHandler::followed_by(None, handle));
}

/// Gives SIGTERM and SIGINT their default action again, unless the program asked to be told of them.
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
    END.set(End { process: ThisProcess::mark(), file });
}

/// None in a forked worker, too. Async-signal-safe: it loads atomics, and asks for the process id.
fn current_end() -> Option<&'static End> {
    END.get().filter(|end| end.process.is_current())
}

fn install() {
    for signal in SIGNALS.into_iter().filter(|&signal| has_default(signal)) {
        set_action(signal, &PreviousHandler::followed_by(None, handle)); // a signal that is held back interrupts nothing
    }
}

fn uninstall() {
    if INSTEAD.get().is_some() {
        return;
    }
    for signal in SIGNALS.into_iter().filter(|&signal| is_handled(signal)) {
        default_action(signal);
    }
}

fn is_handled(signal: c_int) -> bool {
    let handler = PreviousHandler::followed_by(None, handle).sa_sigaction;
    action(signal).is_some_and(|action| action.sa_sigaction == handler)
}

/// A handler that was installed later may call this one: signal-hook's does, and with it tokio's. Then the later one
/// decides what the signal does, unless the program asked to be told of it, too.
extern "C" fn handle(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    if !info.is_null() && CALLS_PREVIOUS.load(SeqCst) == info {
        return; // the previous handler called ours
    }
    let errno = Errno::last_raw();
    let is_on_top = is_handled(signal);
    if !(is_on_top && is_held_back(signal)) {
        let previous = SIGNALS.iter().position(|&one| one == signal).and_then(|index| PREVIOUS[index].get());
        match INSTEAD.get().map_or(Instead::AsIfNotAsked, |instead| instead(signal)) {
            Instead::EndBy(signal) => end_by(signal),
            Instead::AsIfNotAsked if is_on_top && previous.is_none() => end_by(signal),
            Instead::AsIfNotAsked | Instead::Nothing => {}
        }
        if let Some(previous) = previous {
            let outer = CALLS_PREVIOUS.swap(info, SeqCst);
            previous.call(signal, info, context);
            CALLS_PREVIOUS.store(outer, SeqCst);
        }
    }
    Errno::set_raw(errno);
}

/// Holds back the first signal. Later ones are dropped.
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
    // The thread may have blocked it, and it is blocked while its handler runs.
    let _ = SigSet::from_iter(Signal::try_from(signal)).thread_unblock();
    // SAFETY: has no preconditions.
    unsafe { libc::raise(signal) };
}
