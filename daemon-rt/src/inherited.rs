//! What exec handed on: descriptors, ignored signals, blocked signals, and the directory of the launch.
//!
//! Noted before anything of the program runs, since later nobody can tell an inherited descriptor from one that a
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
    unistd,
};

use crate::{Error, null, sys, terminal::shown};

/// How many descriptors are tried where nothing lists them: the limit may be a billion, and who hands descriptors on
/// keeps them low.
const PROBED: RawFd = 1024;

#[derive(Debug)]
pub(crate) struct Inherited {
    descriptors: Vec<Descriptor>,
    ignored_signals: Vec<c_int>,
    blocked_signals: SigSet,
    directory: io::Result<PathBuf>,
}

/// A descriptor, and the file that it was open on: the number alone may be another file's by now.
#[derive(Debug, Clone, Copy)]
struct Descriptor {
    number: RawFd,
    /// None where the file system does not tell: its server is gone, for example.
    file: Option<(libc::dev_t, libc::ino_t)>,
}

impl Inherited {
    /// Changes two things only: an ignored SIGCHLD lets no one learn how a child ended, wait(2); and a file that the
    /// program opened on the number of a closed standard stream would be replaced with it.
    pub(crate) fn note() -> Self {
        let ignored_signals = sys::ignored_signals();
        sys::stop_ignoring(libc::SIGCHLD);
        let standard_streams_are_open =
            sys::STANDARD_STREAMS.into_iter().all(|number| sys::closes_on_exec(number).is_ok());
        if !standard_streams_are_open {
            let _ = null::open(); // tried again, and reported, when the streams are opened
        }
        let descriptors = if standard_streams_are_open && three_are_open() { Vec::new() } else { open_descriptors() };
        Self {
            descriptors: descriptors.into_iter().filter_map(Descriptor::inherited).collect(),
            ignored_signals,
            blocked_signals: sys::change_mask(SigmaskHow::SIG_BLOCK, None).unwrap_or_else(|_| SigSet::empty()),
            directory: env::current_dir(),
        }
    }

    /// A path as it was meant where the program was launched.
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

    /// Whether that path is the directory of the launch, and the process is there still.
    pub(crate) fn is_current(&self, path: &Path) -> bool {
        let is_launch_directory = path == Path::new(".");
        is_launch_directory && matches!((&self.directory, env::current_dir()), (Ok(then), Ok(now)) if *then == now)
    }

    /// Whether the launch handed it on, and nobody took, closed or replaced it since.
    pub(crate) fn has(&self, number: RawFd) -> bool {
        self.descriptors.iter().any(|descriptor| descriptor.number == number && descriptor.is_still_inherited())
    }

    /// Hands a descriptor over to the program. It is closed on exec from now on, which also marks it as taken.
    pub(crate) fn take(&mut self, number: RawFd) -> Result<OwnedFd, Error> {
        let cannot = |why| Error::new(format!("cannot take file descriptor {number}: {why}"));
        if sys::STANDARD_STREAMS.contains(&number) {
            return Err(cannot("it is a standard stream; duplicate it instead"));
        }
        let Some(index) = self.descriptors.iter().position(|descriptor| descriptor.number == number) else {
            return Err(cannot("it was not inherited, or is taken already"));
        };
        let descriptor = self.descriptors.swap_remove(index);
        if !descriptor.is_still_inherited() {
            return Err(cannot("it was closed or replaced since the launch"));
        }
        sys::set_close_on_exec(number, true)
            .map_err(|error| Error::because(format!("cannot take file descriptor {number}"), error))?;
        Ok(sys::take(number))
    }

    /// Whether a shell without job control started the program with `&`, POSIX sh 2.11.
    pub(crate) fn is_in_background(&self) -> bool {
        self.ignored_signals.contains(&libc::SIGINT)
    }

    /// Closes what nobody asked for, so that no pipe or lock of the launcher's lives on with the daemon.
    pub(crate) fn close_descriptors_but(&self, keep: &[RawFd], passed: &Range<RawFd>) {
        for descriptor in &self.descriptors {
            let is_wanted = keep.contains(&descriptor.number) || passed.contains(&descriptor.number);
            if !is_wanted && descriptor.is_still_inherited() {
                let _ = unistd::close(descriptor.number); // an error of close(2) is about data that is not ours
            }
        }
    }

    /// Default actions, daemon(7); but what `setup` changed since stays, and so does an ignored SIGPIPE, which every
    /// Rust program has.
    pub(crate) fn stop_ignoring_signals(&self) {
        for &signal in self.ignored_signals.iter().filter(|&&signal| signal != libc::SIGPIPE) {
            sys::stop_ignoring(signal);
        }
    }

    /// In the launcher: signals end it as they did before `setup`. SIGCHLD stays blocked, so that the end of its child is
    /// not missed.
    pub(crate) fn become_interruptible(&self) {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
            if !self.ignored_signals.contains(&signal) {
                sys::set_default(signal);
            }
        }
        let mut blocked = self.blocked_signals;
        blocked.add(Signal::SIGCHLD);
        let _ = blocked.thread_set_mask();
    }

    /// Blocks no signal but those that `setup` blocked: `before` is what was blocked at its end.
    pub(crate) fn unblock_signals(&self, before: SigSet) {
        // Both fail on an unknown operation only, pthread_sigmask(3).
        let _ = before.thread_set_mask();
        let _ = self.blocked_signals.thread_unblock();
    }
}

impl Descriptor {
    /// Above the standard streams, what survived an exec has no `FD_CLOEXEC`.
    fn inherited(number: RawFd) -> Option<Self> {
        if number <= libc::STDERR_FILENO || sys::closes_on_exec(number).ok()? {
            return None;
        }
        Some(Self { number, file: sys::identity_of(number).ok() })
    }

    fn is_still_inherited(self) -> bool {
        Self::inherited(self.number).is_some_and(|now| match (self.file, now.file) {
            (Some(before), Some(now)) => before == now,
            _ => true,
        })
    }
}

/// Linux tells the number of open descriptors as the size of that directory (from 6.2 on, and 0 before), which is much
/// quicker than to list them.
fn three_are_open() -> bool {
    fs::metadata("/proc/self/fd").is_ok_and(|directory| directory.len() == 3)
}

/// The numbers in /proc/self/fd, or in /dev/fd where that shows more than the standard streams.
/// Those of the standard streams may be missing.
pub(crate) fn open_descriptors() -> Vec<RawFd> {
    ["/proc/self/fd", "/dev/fd"]
        .iter()
        .filter_map(|directory| listed(directory).ok())
        .find(|numbers| numbers.iter().any(|&number| number > libc::STDERR_FILENO))
        .unwrap_or_else(|| (0..PROBED).collect())
}

fn listed(directory: &str) -> io::Result<Vec<RawFd>> {
    let entries = fs::read_dir(directory)?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}
