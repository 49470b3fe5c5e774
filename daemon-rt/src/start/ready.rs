//! Readiness: the moment from which whoever started the daemon may rely on it.

use std::{
    io::{self, Read},
    os::unix::net::UnixStream,
    sync::{Mutex, PoisonError},
};

use super::{report::Report, stand_in::StandIn};
use crate::Error;

static STATE: Mutex<State> = Mutex::new(State::Told);

enum State {
    /// The leader waits for word.
    Awaited(Awaited),
    /// Everyone who wanted to know does: also before any start, and in the foreground.
    Told,
    /// The launcher gave up, or was ended, before the daemon was ready.
    Gone,
}

struct Awaited {
    leader: UnixStream,
    stand_in: Option<StandIn>,
}

/// Tells whoever started the program that it is ready: the launcher exits with 0 now.
///
/// Only with the option [`notify`](crate::Daemon::notify) does anybody wait for it. Call it when requests can be
/// served, from any thread, as often as you like: only the first call does anything. It returns when the launcher
/// knows. In the foreground, and before any start, it does nothing. It is for the daemon alone, not for a worker that was
/// forked from it: the leader answers once.
///
/// # Errors
///
/// The launcher has gone: it was interrupted, or `start_timeout` was over. The daemon is being ended with SIGTERM, and
/// should not serve anybody.
pub fn ready() -> Result<(), Error> {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    if let State::Awaited(awaited) = &mut *state {
        *state = if awaited.tell().is_ok() { State::Told } else { State::Gone };
    }
    match *state {
        State::Gone => Err(Error::new("cannot report readiness: the launcher has gone")),
        _ => Ok(()),
    }
}

/// Leaves it to the program to call [`ready`].
pub(crate) fn await_ready(leader: UnixStream, stand_in: Option<StandIn>) {
    *STATE.lock().unwrap_or_else(PoisonError::into_inner) = State::Awaited(Awaited { leader, stand_in });
}

impl Awaited {
    fn tell(&mut self) -> io::Result<()> {
        Report::READY.send(&self.leader)?;
        self.leader.read_exact(&mut [0])?; // the leader's answer: the launcher has it
        self.stand_in.take().map_or(Ok(()), StandIn::put_away).or(Ok(()))
    }
}
