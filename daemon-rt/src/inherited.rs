//! What the program inherited by exec: descriptors, ignored signals, blocked signals, and the directory of the launch.
//!
//! It is noted before any code of the program runs: later, an inherited descriptor could not be told from one that a
//! constructor or an option opened.

use std::{
    env, fs, io,
    ops::Range,
    os::fd::{OwnedFd, RawFd},
    path::{self, Path, PathBuf},
};

use nix::{
    libc::{self, c_int},
    sys::signal::{SigSet, SigmaskHow, Signal},
};

use crate::{
    Error, null,
    sys::{self, InheritedFd},
    terminal::shown,
};

/// How many descriptors are tried if nothing lists them. The limit may be a billion, but inherited descriptors have low
/// numbers.
const PROBED: RawFd = 1024;

#[derive(Debug)]
pub(crate) struct Inherited {
    fds: Vec<InheritedFd>,
    ignored_signals: Vec<c_int>,
    blocked_signals: SigSet,
    directory: io::Result<PathBuf>,
}

impl Inherited {
    /// Changes only two things. If SIGCHLD is ignored, it gets its default action: otherwise it cannot be learned how a
    /// child ended, wait(2). Closed standard streams are opened: otherwise a file that the program opens may get such a
    /// number, and would be replaced together with the stream.
    pub(crate) fn note() -> Self {
        let ignored_signals = sys::ignored_signals();
        sys::stop_ignoring(libc::SIGCHLD);
        let standard_streams_are_open = sys::STANDARD_STREAMS.into_iter().all(|fd| sys::closes_on_exec(fd).is_ok());
        if !standard_streams_are_open {
            let _ = null::open(); // the error is reported when the streams are opened
        }
        let open = if standard_streams_are_open && three_are_open() { Vec::new() } else { open_descriptors() };
        Self {
            fds: open.into_iter().filter_map(InheritedFd::note).collect(),
            ignored_signals,
            blocked_signals: sys::change_mask(SigmaskHow::SIG_BLOCK, None).unwrap_or_else(|_| SigSet::empty()),
            directory: env::current_dir(),
        }
    }

    /// The directory of the launch.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref().ok()
    }

    /// A path as it was meant at the launch: relative to that directory.
    pub(crate) fn absolute(&self, path: &Path) -> Result<PathBuf, Error> {
        if path.is_absolute() {
            return Ok(path.to_owned());
        }
        let unknown = |error: io::Error| {
            Error::because(format!("cannot find the launch directory that {} starts from", shown(path)), error)
        };
        let directory =
            self.directory.as_ref().map_err(|error| unknown(io::Error::new(error.kind(), error.to_string())))?;
        path::absolute(directory.join(path)).map_err(unknown)
    }

    /// Whether that path is the directory of the launch, and is still the current directory.
    pub(crate) fn is_current(&self, path: &Path) -> bool {
        let is_launch_directory = path == Path::new(".");
        is_launch_directory && matches!((&self.directory, env::current_dir()), (Ok(then), Ok(now)) if *then == now)
    }

    /// Whether the program inherited the descriptor, and has not taken, closed or replaced it since.
    pub(crate) fn has(&self, fd: RawFd) -> bool {
        self.fds.iter().any(|inherited| inherited.fd() == fd && inherited.is_still_inherited())
    }

    /// Gives a descriptor to the program. It is closed on exec from now on.
    pub(crate) fn take(&mut self, fd: RawFd) -> Result<OwnedFd, Error> {
        let what = format!("cannot take file descriptor {fd}");
        let cannot = |why| Error::new(format!("{what}: {why}"));
        if sys::STANDARD_STREAMS.contains(&fd) {
            return Err(cannot("it is a standard stream; duplicate it instead"));
        }
        let Some(index) = self.fds.iter().position(|inherited| inherited.fd() == fd) else {
            return Err(cannot("it was not inherited, or is taken already"));
        };
        match self.fds.swap_remove(index).take() {
            Ok(Some(taken)) => Ok(taken),
            Ok(None) => Err(cannot("it was closed or replaced since the launch")),
            Err(error) => Err(Error::because(what, error)),
        }
    }

    /// Whether a shell without job control started the program with `&`, POSIX sh 2.11.
    pub(crate) fn is_in_background(&self) -> bool {
        self.ignored_signals.contains(&libc::SIGINT)
    }

    /// Closes all other inherited descriptors, so that the daemon keeps no pipe or lock of the launcher alive.
    pub(crate) fn close_descriptors_but(&self, keep: &[RawFd], passed: &Range<RawFd>) {
        let is_wanted = |fd| keep.contains(&fd) || passed.contains(&fd);
        self.fds.iter().filter(|inherited| !is_wanted(inherited.fd())).for_each(InheritedFd::close);
    }

    /// Gives signals their default actions, daemon(7). What `setup` has changed stays, and so does the ignored SIGPIPE
    /// that every Rust program has.
    pub(crate) fn stop_ignoring_signals(&self) {
        for &signal in self.ignored_signals.iter().filter(|&&signal| signal != libc::SIGPIPE) {
            sys::stop_ignoring(signal);
        }
    }

    /// In the launcher: signals can end it again, as before `setup`. SIGCHLD stays blocked, so that the end of its
    /// child is not missed. Returns the previous actions.
    pub(crate) fn become_interruptible(&self) -> Vec<sys::Action> {
        let mut actions = Vec::new();
        for signal in sys::INTERRUPTING {
            if !self.ignored_signals.contains(&signal) {
                actions.push(sys::default_action(signal));
            }
        }
        let mut blocked = self.blocked_signals;
        blocked.add(Signal::SIGCHLD);
        let _ = blocked.thread_set_mask();
        actions
    }

    /// In a program that goes on: undoes what [`note`](Self::note) changed for SIGCHLD.
    pub(crate) fn ignore_children_again(&self) {
        if self.ignored_signals.contains(&libc::SIGCHLD) && sys::has_default(libc::SIGCHLD) {
            let _ = sys::ignore(libc::SIGCHLD);
        }
    }

    /// Blocks only the signals that `setup` blocked. `before` is what was blocked when it returned.
    pub(crate) fn unblock_signals(&self, before: SigSet) {
        // Both fail only on an unknown operation, pthread_sigmask(3).
        let _ = before.thread_set_mask();
        let _ = self.blocked_signals.thread_unblock();
    }
}

/// From Linux 6.2 on, the size of that directory is the number of open descriptors. Before, it is 0. Asking for it is
/// much quicker than listing them.
fn three_are_open() -> bool {
    fs::metadata("/proc/self/fd").is_ok_and(|directory| directory.len() == 3)
}

/// The numbers in /proc/self/fd, or in /dev/fd if that lists more than the standard streams. The standard streams may
/// be missing from the result.
pub(crate) fn open_descriptors() -> Vec<RawFd> {
    ["/proc/self/fd", "/dev/fd"]
        .iter()
        .filter_map(|directory| listed(directory).ok())
        .find(|fds| fds.iter().any(|&fd| fd > libc::STDERR_FILENO))
        .unwrap_or_else(|| (0..PROBED).collect())
}

fn listed(directory: &str) -> io::Result<Vec<RawFd>> {
    let entries = fs::read_dir(directory)?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}
