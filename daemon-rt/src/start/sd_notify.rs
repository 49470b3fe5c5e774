//! Tells the service manager, by the protocol of `sd_notify(3)`.

#[cfg(test)]
mod tests;

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::Path,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::{
    io::Read,
    os::{
        fd::AsFd,
        linux::net::SocketAddrExt,
        unix::{ffi::OsStrExt, net::UnixStream},
    },
};

use nix::{errno::Errno, unistd::write};

use crate::{
    Daemon, Error,
    messages::Messages,
    run::Ready,
    sys::{self, OwnFd, ThisProcess},
    terminal::shown,
};

/// A manager that does not read delays the program no longer than this.
const PATIENCE: Duration = Duration::from_secs(5);

/// systemd reads no message that is longer than 4 KiB.
const LONGEST: usize = 1024;

const STOPPING: &str = "STOPPING=1";

/// The socket to the manager. It is connected at the start, so it still works after a `chroot` and without privileges.
#[derive(Debug)]
pub(crate) struct Manager {
    line: OwnFd,
    /// Whether another process reaps this one before the manager does.
    is_behind_wrapper: bool,
}

/// The manager of the running program, and the process that it watches.
static OWN: OnceLock<(Manager, ThisProcess)> = OnceLock::new();

/// Whether the manager has got the last message, and whether it knows that the program stops.
static IS_OVER: AtomicBool = AtomicBool::new(false);
static IS_STOPPING: AtomicBool = AtomicBool::new(false);

impl Manager {
    /// The manager that waits, if the program will tell it.
    pub(crate) fn connect(daemon: &Daemon) -> Result<Option<Self>, Error> {
        let Some(socket) = daemon.launched_by.notify_socket().filter(|_| daemon.notify) else { return Ok(None) };
        let connected = address(socket).and_then(|address| {
            let line = UnixDatagram::unbound()?;
            line.set_write_timeout(Some(PATIENCE))?;
            sys::uninterrupted(|| line.connect_addr(&address))?;
            OwnFd::new(line)
        });
        let is_behind_wrapper = daemon.launched_by.is_behind_wrapper();
        connected.map(|line| Some(Self { line, is_behind_wrapper })).map_err(|error| {
            Error::because(format!("cannot reach the service manager at {}, NOTIFY_SOCKET", shown(socket)), error)
        })
    }

    /// From the launcher: with `NotifyAccess=main`, systemd.service(5), the manager hears nobody else until the daemon
    /// is the main process.
    pub(crate) fn ready_as(&self, ready: &Ready) -> io::Result<()> {
        self.tell(&format!("MAINPID={}\n{}", ready.daemon, ready_state(&ready.message)))?;
        self.await_reading();
        Ok(())
    }

    /// systemd looks up the sender of a message, which it cannot do after the sender was reaped. It closes this
    /// descriptor after it has read everything that came before, `sd_notify_barrier(3)`.
    fn await_reading(&self) {
        if !self.is_behind_wrapper {
            return; // the manager itself reaps this process, and reads first
        }
        self.await_barrier();
    }

    fn await_barrier(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let _ = UnixStream::pair().and_then(|(mut own, its)| {
            sys::send_with_file(self.line()?, b"BARRIER=1", Some(its.as_fd()))?;
            drop(its);
            own.set_read_timeout(Some(PATIENCE))?;
            sys::uninterrupted(|| own.read(&mut [0]))
        });
    }

    /// The socket of the supervisor from which this one takes over. It is not known yet who will reap this process.
    pub(crate) fn take_over(line: OwnedFd) -> io::Result<Self> {
        Ok(Self { line: OwnFd::new(line)?, is_behind_wrapper: true })
    }

    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        self.line.get().map(|line| line.as_raw_fd())
    }

    /// From a supervisor that is about to exit: the manager would take its end for that of the service. `state` is the
    /// `MAINPID=` of the new supervisor.
    pub(crate) fn replace_main_process(&self, state: &[u8]) {
        if self.tell_bytes(state).is_ok() {
            self.await_barrier();
        }
    }

    /// There is no daemon, or no longer: says why, with the exit status. The manager then stops waiting for the program
    /// to be ready. Everybody may read what is said here, `systemctl status`.
    pub(crate) fn failed(&self, why: &str, status: u8, errno: Option<i32>) {
        // For dpkg's start-stop-daemon, only ERRNO= marks a failure. 0 means that the error is not the system's.
        let errno = errno.unwrap_or_default();
        if self.tell(&format!("STATUS={}\nEXIT_STATUS={status}\nERRNO={errno}", one_line(why))).is_ok() {
            self.await_reading();
        }
    }

    /// Keeps the socket for whatever the program says later.
    pub(crate) fn keep(self) {
        let _ = OWN.set((self, ThisProcess::mark())); // there is one start in a process
    }

    fn tell(&self, state: &str) -> io::Result<()> {
        self.tell_bytes(state.as_bytes())
    }

    fn tell_bytes(&self, state: &[u8]) -> io::Result<()> {
        sys::uninterrupted(|| Ok(write(self.line()?, state)?)).map(drop)
    }

    fn line(&self) -> io::Result<BorrowedFd<'_>> {
        self.line.get().ok_or_else(|| Errno::EBADF.into()) // the program closed it
    }
}

/// In the foreground: the program is ready.
pub(crate) fn ready(message: &str) -> io::Result<()> {
    own().map_or(Ok(()), |manager| manager.tell(&ready_state(message)))
}

fn ready_state(message: &str) -> String {
    if message.is_empty() { "READY=1".into() } else { format!("READY=1\nSTATUS={}", one_line(message)) }
}

/// `main` has returned. If the manager does not hear this, it still sees the end.
pub(crate) fn stopping() {
    if !IS_STOPPING.swap(true, SeqCst) {
        say(STOPPING);
    }
}

/// The same as [`stopping`], from a signal handler. It must not wait, and a worker may have the handler, too.
/// Async-signal-safe, signal-safety(7).
pub(crate) fn stopping_at_once() {
    let Some((manager, _)) = kept().filter(|(_, process)| process.is_current()) else { return };
    if manager.line().and_then(|line| sys::send_at_once(line, STOPPING.as_bytes())).is_ok() {
        IS_STOPPING.store(true, SeqCst);
    }
}

pub(crate) fn say(state: &str) {
    if let Some(manager) = own() {
        let _ = manager.tell(state);
    }
}

/// Whether the program speaks to a manager.
pub(crate) fn is_kept() -> bool {
    own().is_some()
}

fn own() -> Option<&'static Manager> {
    kept().map(|(manager, _)| manager)
}

fn kept() -> Option<&'static (Manager, ThisProcess)> {
    OWN.get().filter(|_| !IS_OVER.load(SeqCst))
}

/// The manager of the running program, if there is one, for its last message.
pub(crate) fn take() -> Option<&'static Manager> {
    OWN.get().filter(|_| !IS_OVER.swap(true, SeqCst)).map(|(manager, _)| manager)
}

/// The start failed here: in the launcher before it forked, or in the foreground, where the root directory may have
/// changed by now.
pub(crate) fn start_failed(daemon: &Daemon, error: &Error) {
    let tell = |manager: &Manager| {
        manager.failed(&Messages::of(daemon).for_everybody(error), error.exit_status(), error.errno());
    };
    if let Some(own) = take() {
        tell(own);
    } else if let Ok(Some(manager)) = Manager::connect(daemon) {
        tell(&manager); // if it cannot be reached, which may be the failure itself, it is not told
    }
}

/// A newline would begin another assignment, and a manager does not read a long text.
fn one_line(text: &str) -> String {
    let mut line = shown(text).to_string();
    let end = (0..=line.len().min(LONGEST)).rev().find(|&end| line.is_char_boundary(end));
    line.truncate(end.unwrap_or_default());
    line
}

/// A path, or after an `@` a name in Linux's abstract namespace, unix(7).
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
        return SocketAddr::from_abstract_name(name);
    }
    if !Path::new(socket).is_absolute() {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "it is neither an absolute path nor a name after `@`"));
    }
    SocketAddr::from_pathname(socket)
}
