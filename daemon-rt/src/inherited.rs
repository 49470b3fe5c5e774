//! What exec handed on: descriptors, ignored signals, blocked signals, and the directory of the launch.
//!
//! It is noted before anything of the program runs: later, nobody can tell an inherited descriptor from one that a
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

/// How many descriptors are tried where nothing lists them. The limit may be a billion, and descriptors that are handed
/// on have low numbers.
const PROBED: RawFd = 1024;

#[derive(Debug)]
pub(crate) struct Inherited {
    fds: Vec<InheritedFd>,
    ignored_signals: Vec<c_int>,
    blocked_signals: SigSet,
    directory: io::Result<PathBuf>,
}

impl Inherited {
    /// Changes only two things. SIGCHLD is no longer ignored, since nobody could learn how a child ended, wait(2). Closed
    /// standard streams are opened, since a file that the program opens under their numbers would be replaced with them.
    pub(crate) fn note() -> Self {
        let ignored_signals = sys::ignored_signals();
        sys::stop_ignoring(libc::SIGCHLD);
        let standard_streams_are_open = sys::STANDARD_STREAMS.into_iter().all(|fd| sys::closes_on_exec(fd).is_ok());
        if !standard_streams_are_open {
            let _ = null::open(); // an error is reported when the streams are opened
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

    /// A path as it was meant in the directory of the launch.
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

    /// Whether that path is the directory of the launch, and the process is still there.
    pub(crate) fn is_current(&self, path: &Path) -> bool {
        let is_launch_directory = path == Path::new(".");
        is_launch_directory && matches!((&self.directory, env::current_dir()), (Ok(then), Ok(now)) if *then == now)
    }

    /// Whether the launch handed it on, and nobody has taken, closed or replaced it since.
    pub(crate) fn has(&self, fd: RawFd) -> bool {
        self.fds.iter().any(|inherited| inherited.fd() == fd && inherited.is_still_inherited())
    }

    /// Hands a descriptor over to the program. It is closed on exec from now on.
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

    /// Closes what nobody asked for, so that no pipe or lock of the launcher's lives on with the daemon.
    pub(crate) fn close_descriptors_but(&self, keep: &[RawFd], passed: &Range<RawFd>) {
        let is_wanted = |fd| keep.contains(&fd) || passed.contains(&fd);
        self.fds.iter().filter(|inherited| !is_wanted(inherited.fd())).for_each(InheritedFd::close);
    }

    /// Gives signals their default actions, daemon(7). What `setup` has changed stays, and so does an ignored SIGPIPE,
    /// which every Rust program has.
    pub(crate) fn stop_ignoring_signals(&self) {
        for &signal in self.ignored_signals.iter().filter(|&&signal| signal != libc::SIGPIPE) {
            sys::stop_ignoring(signal);
        }
    }

    /// In the launcher: signals end it as they did before `setup`. SIGCHLD stays blocked, so that the end of its child is
    /// not missed. Returns what the signals did until now.
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

    /// In a program that goes on: what [`note`](Self::note) changed is as it was.
    pub(crate) fn ignore_children_again(&self) {
        if self.ignored_signals.contains(&libc::SIGCHLD) && sys::has_default(libc::SIGCHLD) {
            let _ = sys::ignore(libc::SIGCHLD);
        }
    }

    /// Blocks no signal but those that `setup` blocked: `before` is what was blocked at its end.
    pub(crate) fn unblock_signals(&self, before: SigSet) {
        // Both fail on an unknown operation only, pthread_sigmask(3).
        let _ = before.thread_set_mask();
        let _ = self.blocked_signals.thread_unblock();
    }
}

/// On Linux from 6.2 on, the size of that directory is the number of open descriptors, and before it is 0. To ask for
/// it is much quicker than to list them.
fn three_are_open() -> bool {
    fs::metadata("/proc/self/fd").is_ok_and(|directory| directory.len() == 3)
}

/// The numbers in /proc/self/fd, or in /dev/fd if that shows more than the standard streams. The standard streams may be
/// missing.
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
