//! Starts a daemon from a program that goes on. A process between the two is the launcher, so that nothing changes in
//! the program.

use std::{
    io::{self, Read, Write},
    mem,
    os::{fd::AsFd, unix::net::UnixStream},
    panic::{self, AssertUnwindSafe},
    process::{ExitStatus, Termination},
    thread,
    time::{Duration, Instant},
};

use nix::{
    poll::{PollTimeout, poll},
    sys::signal::{SigSet, SigmaskHow, Signal, kill},
    unistd::{self, ForkResult, Pid},
};

use super::{
    become_detached, check,
    detach::socket_pair,
    flush, instance, process_group,
    report::{Incoming, Report},
};
use crate::{
    Daemon, Detach, Error, last_words,
    launched_by::is_upgrade,
    messages::Messages,
    pidfile::Lock,
    run::{PANICKED, Ready, Role, number_of, refuse_second},
    stop_requested,
    sys::{self, Action},
    threads::{self, Step},
};

/// How much longer than `start_timeout` the launcher may take: it also ends a daemon that does not end by itself.
const LAUNCHER_GRACE: Duration = Duration::from_secs(60);

/// How long the launcher may take to exit after its report.
const MARGIN: Duration = Duration::from_secs(1);

/// How often to look whether it has, in milliseconds: it closes its socket shortly before.
const INTERVAL: u8 = 1;

/// A daemon that [`Daemon::spawn`] started, and that is ready.
#[derive(Debug, Clone)]
pub struct Spawned {
    pid: u32,
    message: Option<String>,
}

impl Spawned {
    /// The process id of the daemon. With [`respawn`](Daemon::respawn), that of its supervisor.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The line that the daemon gave to [`ready_with`](crate::ready_with), at most 64 KiB of it. None without the
    /// option [`notify`](crate::Daemon::notify). It is exactly what the daemon wrote, including control characters,
    /// which a launcher would escape: escape it before you print it to a terminal.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

pub(crate) fn spawn<T: Termination>(daemon: &mut Daemon, main: impl FnOnce() -> T) -> Result<Spawned, Error> {
    let spawned = stop_requested::without_thread(|| spawn_from_program(daemon, main));
    daemon.inherited.ignore_children_again();
    spawned.map_err(|error| Messages::of(daemon).withhold(error))
}

fn spawn_from_program<T: Termination>(daemon: &mut Daemon, main: impl FnOnce() -> T) -> Result<Spawned, Error> {
    if daemon.detach == Detach::Never {
        return Err(Error::new("cannot spawn a daemon in the foreground: `detach` is `Never`"));
    }
    if is_upgrade() {
        return Err(Error::new("cannot take over from the running daemon with `spawn`"));
    }
    let timeout = check::start_timeout(daemon.start_timeout)?;
    flush_or_fail()?;
    let thread = threads::require_single_thread(Step::Spawn)?;
    let program = unistd::getpid();
    let (from_launcher, to_program) = socket_pair()?;
    // If the program has a handler that reaps every child, it would reap the launcher, too.
    let mask = sys::change_mask(SigmaskHow::SIG_BLOCK, Some(&SigSet::from(Signal::SIGCHLD)))
        .map_err(|error| Error::because("cannot block signals", error))?;
    sys::leave_termination_alone(); // the pidfile belongs to the launcher, or to its daemon
    let forked = sys::fork(&thread);
    if let Ok(ForkResult::Parent { child: launcher }) = forked {
        drop(to_program);
        let outcome = outcome(launcher, &from_launcher, timeout);
        if let (Some(lock), Ok(_)) = (daemon.lock.take(), &outcome) {
            lock.leave_to_daemon();
        }
        let _ = mask.thread_set_mask();
        return outcome;
    }
    let _ = mask.thread_set_mask();
    forked.map_err(|error| Error::because("cannot fork the launcher", error))?;
    drop(from_launcher);
    process_group::end_with(program);
    launch(daemon, main, to_program)
}

/// Otherwise, what is in the buffer would be written twice.
fn flush_or_fail() -> Result<(), Error> {
    flush().map_err(|error| Error::because("cannot write to standard output", error))
}

/// In the launcher, and in the daemon.
fn launch<T: Termination>(daemon: &mut Daemon, main: impl FnOnce() -> T, to_program: UnixStream) -> ! {
    let report = match start(daemon, &to_program) {
        Ok(Role::Daemon) => {
            drop(to_program);
            be_daemon(main)
        }
        Ok(Role::Launcher(Ok(ready))) => Report::Ready(ready), // once more, as the leader has ended well
        Ok(Role::Launcher(Err(error))) | Err(error) => error.into(),
    };
    let _ = report.send(&to_program); // if this fails, nobody is left to tell
    sys::exit_now(0)
}

fn start(daemon: &mut Daemon, program: &UnixStream) -> Result<Role, Error> {
    daemon.launched_by.forget_manager();
    if let Some(supervision) = &mut daemon.respawn {
        supervision.forget_launch(); // that launch was the program's
    }
    daemon.detach = Detach::Always;
    refuse_second()?;
    lock_in_turn(daemon)?;
    stop_requested::note_options(daemon)?;
    stop_requested::without_thread(|| become_detached(daemon, Some(program)))
}

/// Two programs may start the same daemon at once. A program that is told of the other's daemon will rely on it.
fn lock_in_turn(daemon: &mut Daemon) -> Result<(), Error> {
    let mask = SigSet::thread_get_mask();
    let actions = daemon.inherited.become_interruptible(); // a handler of the program would keep Ctrl-C from ending it
    let lock = instance::take_lock(daemon, daemon.start_timeout);
    actions.into_iter().for_each(Action::restore);
    let _ = mask.and_then(|mask| mask.thread_set_mask());
    daemon.lock = lock?;
    daemon.lock.as_ref().map_or(Ok(()), Lock::remove_at_end) // on signals that the program does not handle, as before
}

/// Runs `main`. The program's exit handlers, thread-locals and buffers are left alone.
fn be_daemon<T: Termination>(main: impl FnOnce() -> T) -> ! {
    let status = panic::catch_unwind(AssertUnwindSafe(|| number_of(last_words::report(main()))));
    let status = status.unwrap_or_else(|payload| {
        mem::forget(payload); // its destructor could panic, too
        PANICKED
    });
    end_in_time(status);
    let _ = io::stdout().flush();
    sys::flush_c_streams();
    end(status)
}

fn end(status: u8) -> ! {
    Lock::release();
    sys::exit_now(status)
}

/// Another thread may hold the lock of a stream for ever. A Rust program does not wait for that at its exit either.
fn end_in_time(status: u8) {
    let _ = thread::Builder::new().spawn(move || {
        thread::sleep(MARGIN);
        end(status)
    });
}

/// What the launcher reports, after it has ended.
fn outcome(launcher: Pid, from_launcher: &UnixStream, timeout: Duration) -> Result<Spawned, Error> {
    let two_starts = timeout.saturating_mul(2); // another program's, and its own
    let deadline = Instant::now().checked_add(two_starts).and_then(|end| end.checked_add(LAUNCHER_GRACE));
    // A launcher that was stopped, for example together with the program by their terminal, reports nothing.
    let resume = || _ = kill(launcher, Signal::SIGCONT);
    let mut incoming = Incoming::from_launcher();
    let mut receive = || incoming.receive_or_resume(from_launcher, deadline, resume);
    let mut received = receive();
    if let Ok(Some(Report::Ready(_))) = received {
        let answered = sys::send(from_launcher.as_fd(), &[0]);
        // The leader may still fail, and then the launcher reports it. If nothing more is reported, the leader has the
        // answer.
        match receive() {
            Ok(None) | Err(_) if answered.is_ok() => {}
            last => received = last,
        }
    }
    if received.is_err() {
        let _ = kill(launcher, Signal::SIGKILL); // then the leader ends the daemon
    }
    let ended = reap(launcher, from_launcher);
    match received {
        Ok(Some(Report::Ready(Ready { daemon: pid, message }))) => {
            Ok(Spawned { pid, message: Some(message).filter(|message| !message.is_empty()) })
        }
        Ok(Some(Report::Failed(error))) => Err(error),
        // It was ended, for example by Ctrl-C.
        Ok(None) => Err(ended.map_or_else(
            || Error::new("the launcher ended without a report"),
            |status| Error::ended("the launcher", status),
        )),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(Error::new("the launcher did not report in time"))
        }
        Err(error) => Err(Error::because("cannot hear from the launcher", error)),
    }
}

/// After its report, the launcher does nothing but exit, which closes its socket; but a supervisor shuts that before. None
/// if SIGCHLD is ignored, so that its status is lost.
fn reap(launcher: Pid, mut from_launcher: &UnixStream) -> Option<ExitStatus> {
    let deadline = Instant::now() + MARGIN;
    let _ = from_launcher.set_read_timeout(Some(MARGIN));
    let _ = sys::uninterrupted(|| from_launcher.read(&mut [0]));
    loop {
        match sys::reap(launcher) {
            Ok(Some((_, status))) => return Some(status),
            // std's sleep would panic on an error.
            Ok(None) if Instant::now() < deadline => _ = poll(&mut [], PollTimeout::from(INTERVAL)),
            Ok(None) => break,
            Err(_) => return None,
        }
    }
    let _ = kill(launcher, Signal::SIGKILL); // somebody stopped it
    sys::wait_for(launcher).ok()
}
