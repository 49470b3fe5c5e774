//! Ends a program that was asked to stop and does not.

use std::{sync::OnceLock, time::Duration};

use super::request;
use crate::{
    Daemon, Error,
    last_words::LastLine,
    messages::Messages,
    start,
    sys::{Leaked, StopTimer},
};

/// Managers and supervisors send two signals within microseconds. If another one comes later, it is meant.
const BETWEEN_SIGNALS: Duration = Duration::from_secs(1);

static OPTIONS: OnceLock<Options> = OnceLock::new();

struct Options {
    messages: Messages,
    /// How long the program may take.
    limit: Option<Duration>,
}

/// What a signal handler needs. It is prepared in memory.
static FORCED_END: Leaked<ForcedEnd> = Leaked::nothing();

struct ForcedEnd {
    timer: Option<(StopTimer, Duration)>,
    too_late: LastLine,
    by_second_signal: LastLine,
}

/// From [`prepare`] on, the options of this start apply.
pub(crate) fn note_options(daemon: &Daemon) -> Result<(), Error> {
    let limit = start::stop_timeout(daemon)?;
    let _ = OPTIONS.set(Options { messages: Messages::of(daemon), limit }); // there is one start in a process
    Ok(())
}

/// In the process that is to stop: a forked process does not have its parent's timers.
pub(super) fn prepare() -> Result<(), Error> {
    let line = |text: &str| match OPTIONS.get() {
        Some(options) => LastLine::new(&options.messages, text),
        None => LastLine::new(&Messages::of_program(), text),
    };
    let limit = OPTIONS.get().and_then(|options| options.limit);
    let timer = limit.map(|limit| StopTimer::new().map(|timer| (timer, limit))).transpose();
    FORCED_END.set(ForcedEnd {
        timer: timer.map_err(|error| Error::because("cannot create a timer for `stop_timeout`", error))?,
        too_late: line(&format!("did not stop within {:?}", limit.unwrap_or_default())),
        by_second_signal: line("did not stop before the second signal"),
    });
    if request::made_to_this_process().is_some() {
        start_timer();
    }
    Ok(())
}

/// Async-signal-safe, signal-safety(7).
pub(super) fn start_timer() {
    if let Some((timer, limit)) = FORCED_END.get().and_then(|end| end.timer.as_ref()) {
        timer.start(*limit);
    }
}

/// Whether a signal that comes this long after the first one, such as the timer's, ends the program. If so, it has said
/// why. Async-signal-safe, signal-safety(7).
pub(super) fn is_due(since: Duration) -> bool {
    let Some(end) = FORCED_END.get() else { return since >= BETWEEN_SIGNALS };
    if end.timer.as_ref().is_some_and(|(_, limit)| since >= *limit) {
        end.too_late.say();
    } else if since >= BETWEEN_SIGNALS {
        end.by_second_signal.say();
    } else {
        return false;
    }
    true
}
