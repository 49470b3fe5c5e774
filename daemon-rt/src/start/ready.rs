//! Readiness: from this moment on, whoever started the daemon may rely on it.

use std::{
    io::{self, Read},
    net::Shutdown,
    os::unix::net::UnixStream,
    process,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{ready_fd::ReadyFd, report::Report, sd_notify};
use crate::{Error, messages, run::Ready, stderr_buffer::StderrBuffer};

/// How much longer than `start_timeout` the daemon waits for the leader. By then, if the leader is stuck, the launcher
/// has given up the start.
const LAUNCHER_PATIENCE: Duration = Duration::from_secs(20);

static STATE: Mutex<State> = Mutex::new(State::Told);

enum State {
    /// `setup` is running: the start has not begun.
    InSetup,
    /// The leader waits for the call.
    Awaited(Awaited),
    /// No launcher waits. The program itself tells whoever does: in the foreground a service manager or a supervisor,
    /// and in any case the person who reads its standard output.
    Unaided { ready_fd: Option<ReadyFd>, is_shown: bool },
    /// Nobody waits any more, or yet.
    Told,
    /// The launcher gave up, or was ended, before the daemon was ready.
    Gone,
}

struct Awaited {
    leader: UnixStream,
    /// Whether the leader answers when the launcher knows. If the supervisor has started the daemon again, no launcher
    /// waits.
    has_launcher: bool,
    /// How long the leader may take to answer.
    patience: Option<Duration>,
    stderr_buffer: Option<StderrBuffer>,
}

/// Tells whoever started the program that it is ready: the launcher exits with 0 now, and a service manager hears
/// `READY=1`, `sd_notify(3)`.
///
/// The launcher and the manager wait for this only with the option [`notify`](crate::Daemon::notify). Call it when the
/// program can serve requests. You may call it from any thread and any number of times: only the first call has an
/// effect. It returns when the launcher knows. In the foreground it tells the service manager, if there is one. Before
/// a start it does nothing. Call it in the daemon itself, not in a worker that was forked from it: the leader answers
/// only once.
///
/// # Errors
///
/// The launcher has gone, because it was interrupted or `start_timeout` ran out. The daemon is then being ended with
/// SIGTERM, and should not serve anybody. In the foreground, it is an error if the service manager takes no message;
/// the next call then tries again. It is also an error to call it in `setup`, which runs before the start: call it in
/// `main`.
pub fn ready() -> Result<(), Error> {
    ready_with("")
}

/// The same as [`ready`], with one line for the person who started the program, such as `listening on 127.0.0.1:8080`.
///
/// The launcher prints the line to its standard output before it exits. A service manager gets it as `STATUS=`,
/// `sd_notify(3)`, which `systemctl status` shows. In the foreground the program itself prints it, unless its standard
/// output is a connection from inetd. In all three places control characters are escaped, including newlines.
/// [`spawn`](crate::Daemon::spawn) returns the line [unchanged](crate::Spawned::message).
///
/// Without [`notify`](crate::Daemon::notify), neither the launcher nor the manager waits. Then the program prints the
/// line itself, also after a detach: it goes to the daemon's log, or is lost if standard output is the null device.
///
/// The line is cut off after 64 KiB, and for a manager after 1024 bytes.
///
/// ```no_run
/// use std::{error::Error, net::TcpListener};
///
/// use daemon_rt::daemon;
///
/// #[daemon(notify)]
/// fn main() -> Result<(), Box<dyn Error>> {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     daemon_rt::ready_with(format!("listening on {}", listener.local_addr()?))?;
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// The same as for [`ready`].
pub fn ready_with(message: impl AsRef<str>) -> Result<(), Error> {
    tell(message.as_ref())
}

fn tell(message: &str) -> Result<(), Error> {
    if tell_who_waits(message)? {
        messages::print(message); // without holding the lock: nobody must wait for whoever reads this
    }
    Ok(())
}

/// Returns whether the program has to print the message itself.
fn tell_who_waits(message: &str) -> Result<bool, Error> {
    let mut is_to_print = false;
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *state {
        State::Awaited(awaited) => *state = if awaited.tell(message).is_ok() { State::Told } else { State::Gone },
        State::Unaided { ready_fd, is_shown } => {
            sd_notify::ready(message)
                .map_err(|error| Error::because("cannot tell the service manager of readiness", error))?;
            ready_fd.as_ref().map_or(Ok(()), ReadyFd::tell)?;
            is_to_print = *is_shown;
            *state = State::Told;
        }
        State::InSetup | State::Told | State::Gone => {}
    }
    match *state {
        State::InSetup => {
            Err(Error::new("cannot report readiness in `setup`, before the start: call `ready` in `main`"))
        }
        State::Gone => Err(Error::new("cannot report readiness: the launcher has gone")),
        _ => Ok(is_to_print),
    }
}

/// Runs `setup`. A call of [`ready`] in it is a mistake, because the start would still wait for another call.
pub(crate) fn refuse_in<T>(setup: impl FnOnce() -> T) -> T {
    be(State::InSetup);
    let result = setup();
    be(State::Told);
    result
}

/// For a start without a waiting launcher. `is_shown` says whether a person may read standard output.
pub(crate) fn leave_to_program(ready_fd: Option<ReadyFd>, is_shown: bool) {
    be(State::Unaided { ready_fd, is_shown });
}

/// In the daemon: the program has to call [`ready`].
pub(crate) fn await_ready(leader: UnixStream, start_timeout: Duration, stderr_buffer: Option<StderrBuffer>) {
    let patience = start_timeout.checked_add(LAUNCHER_PATIENCE);
    be(State::Awaited(Awaited { leader, has_launcher: true, patience, stderr_buffer }));
}

/// The same in a daemon that its supervisor has started again: [`ready`] does not wait.
pub(crate) fn await_ready_again(supervisor: UnixStream) {
    be(State::Awaited(Awaited { leader: supervisor, has_launcher: false, patience: None, stderr_buffer: None }));
}

fn be(state: State) {
    *STATE.lock().unwrap_or_else(PoisonError::into_inner) = state;
}

/// In the foreground: whether `main` still has to call [`ready`].
pub(crate) fn is_up_to_main() -> bool {
    STATE.try_lock().is_ok_and(|state| matches!(*state, State::Unaided { .. }))
}

/// Whether the launcher reports, or has reported, the outcome of the start.
pub(crate) fn is_up_to_launcher() -> bool {
    matches!(*STATE.lock().unwrap_or_else(PoisonError::into_inner), State::Awaited(_) | State::Gone)
}

impl Awaited {
    fn tell(&mut self, message: &str) -> io::Result<()> {
        if !self.has_launcher {
            return Report::Ready(Ready::default()).send(&self.leader);
        }
        Report::Ready(Ready { daemon: process::id(), message: message.to_owned() }).send(&self.leader)?;
        self.await_answer()?;
        self.stderr_buffer.take().map_or(Ok(()), StderrBuffer::uninstall).or(Ok(()))
    }

    /// The leader answers when the launcher knows. If the leader is stuck, the launcher gives up the start.
    fn await_answer(&mut self) -> io::Result<()> {
        const GONE: [io::ErrorKind; 2] = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        let deadline = self.patience.and_then(|patience| Instant::now().checked_add(patience));
        let _ = self.leader.set_read_timeout(self.patience); // without a timeout, the leader is trusted to answer
        loop {
            match self.leader.read_exact(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !is_over(deadline) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.take_back(),
                Err(error) if GONE.contains(&error.kind()) => return Err(error),
                // Any other error does not mean that the start was given up: otherwise the leader would have ended this
                // process.
                Ok(()) | Err(_) => return Ok(()),
            }
        }
    }

    /// The leader may be about to answer. Once the socket is shut down it cannot, and it finds out why.
    fn take_back(&mut self) -> io::Result<()> {
        let _ = Report::failed("").send(&self.leader);
        let _ = self.leader.shutdown(Shutdown::Read);
        self.leader.read_exact(&mut [0]) // it may have answered before that
    }
}

fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}
