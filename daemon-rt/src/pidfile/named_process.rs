//! The process that a pidfile names. Its number may go to another process at any moment. Only a pidfd always refers to
//! the same process, `pidfd_open(2)`.

#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime},
};

use nix::{
    errno::Errno,
    libc::{self, c_int},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::{self, Pid},
};

use crate::{
    proc::{self, Stat},
    sys::{self, Record},
};

/// The unit of times in /proc: `USER_HZ` is 100 wherever Rust runs on Linux, time(7).
const MILLISECONDS_PER_TICK: u64 = 10;

/// How coarse the times of files and processes are.
const COARSE: Duration = Duration::from_millis(50);

/// How often to look whether a supervisor has become ready.
const INTERVAL: Duration = Duration::from_millis(5);

pub(super) struct Process {
    pub(super) pid: Pid,
    /// None if the kernel has no pidfds: on other systems, and on Linux before 5.3.
    pidfd: Option<OwnedFd>,
}

impl Process {
    /// None if no process has that number.
    pub(super) fn open(pid: Pid) -> io::Result<Option<Self>> {
        match sys::pidfd_open(pid) {
            Ok(pidfd) => Ok(Some(Self { pid, pidfd: Some(pidfd) })),
            // Depending on the version, the last two mean that it is the number of a thread.
            Err(error) if [libc::ESRCH, libc::EINVAL, libc::ENOENT].map(Some).contains(&error.raw_os_error()) => {
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                let process = Self { pid, pidfd: None };
                Ok(process.exists().then_some(process))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn number(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Whether it holds that file. `None` if nothing shows that.
    ///
    /// Everybody who can open the file sees the record lock, but that is the weaker evidence: if a worker shares the
    /// descriptors, it keeps the lock, with the same number, after the process has ended or executed another program.
    /// But a process that gets the number after that was started after the number was written to the file.
    pub(super) fn holds(&self, file: &File) -> Option<bool> {
        self.has_open(file).or_else(|| {
            let locker = sys::record_locker(file.as_fd(), Record::Named(self.pid)).ok()?;
            (locker == Some(self.pid) && self.began()? <= file.metadata().ok()?.modified().ok()? + COARSE)
                .then_some(true)
        })
    }

    /// When it was forked, according to /proc. If the clock was set since then, this is off by the same amount.
    fn began(&self) -> Option<SystemTime> {
        let began = Stat::of(self.pid.as_raw()).ok()?.number(22)?;
        let uptime = fs::read_to_string("/proc/uptime").ok()?;
        let uptime: u64 = uptime.split(' ').next()?.replace('.', "").parse().ok()?; // in hundredths of seconds
        let age = uptime.checked_sub(began)?.checked_mul(MILLISECONDS_PER_TICK)?;
        SystemTime::now().checked_sub(Duration::from_millis(age))
    }

    /// Whether one of its descriptors is open on that file. `None` if we may not look.
    fn has_open(&self, file: &File) -> Option<bool> {
        self.has_descriptor(file, |_| true)
    }

    /// The same for writing. The mode of a link in /proc shows how its file was opened.
    fn has_open_for_writing(&self, file: &File) -> Option<bool> {
        self.has_descriptor(file, |link| fs::symlink_metadata(link).is_ok_and(|link| link.mode() & 0o200 != 0))
    }

    fn has_descriptor(&self, file: &File, counts: impl Fn(&Path) -> bool) -> Option<bool> {
        if !proc::is_of_this_namespace() {
            return None;
        }
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.pid)).ok()?;
        // Descriptors with the file's name come first, because a network file system may wait for its server.
        let name = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok();
        let descriptors = descriptors.flatten().map(|descriptor| descriptor.path());
        let (by_name, others): (Vec<_>, Vec<_>) = descriptors.partition(|path| fs::read_link(path).ok() == name);
        let file = sys::file_id(file.as_raw_fd()).ok()?;
        let mut are_all_seen = true;
        for descriptor in by_name.into_iter().chain(others) {
            match sys::cached_file_id(&descriptor) {
                Ok(found) if found == file && counts(&descriptor) => return Some(true),
                // We may list the descriptors of a process with more privileges, but not see their files.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => are_all_seen = false,
                _ => {}
            }
        }
        are_all_seen.then_some(false)
    }

    /// Whether it is starting, and the start ends in time. Then it is ready, or it has ended.
    ///
    /// Until then, the leader of its session also holds the pidfile. A daemon cannot make another process appear as its
    /// leader: it can only leave for a session of its own, and no other process can have the number of a session.
    pub(super) fn ends_its_start_within(&self, time: Duration, file: &File) -> bool {
        let ends_in_time = match unistd::getsid(Some(self.pid)) {
            Ok(session) if session == self.pid => self.becomes_supervisor_within(time, file),
            Ok(session) => {
                let leader = Self::open(session).ok().flatten().filter(|leader| leader.has_open(file) == Some(true));
                leader.is_some_and(|leader| leader.wait(time).unwrap_or_default())
            }
            Err(_) => false,
        };
        ends_in_time || self.ends_within(Duration::ZERO).unwrap_or_default() // a moment ago, it held the file
    }

    /// The same for a leader that stays as the supervisor. It takes its record lock only when its daemon is ready.
    ///
    /// A daemon that left for a session of its own can give up its record lock, too, but it does not have the file open
    /// for writing.
    fn becomes_supervisor_within(&self, time: Duration, file: &File) -> bool {
        let has_no_lock = || matches!(sys::record_locker(file.as_fd(), Record::Named(self.pid)), Ok(None));
        if !has_no_lock() || self.has_open_for_writing(file) != Some(true) {
            return false;
        }
        let deadline = Instant::now().checked_add(time);
        loop {
            let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
            let Ok(has_ended) = self.ends_within(left.min(INTERVAL)) else { return false };
            if has_ended || !has_no_lock() {
                return true;
            }
            if left.is_zero() {
                return false;
            }
        }
    }

    pub(super) fn signal(&self, signal: c_int) -> io::Result<()> {
        match &self.pidfd {
            Some(pidfd) => sys::pidfd_send_signal(pidfd.as_fd(), signal),
            None => sys::kill(self.pid, signal),
        }
    }

    /// Whether that signal would have its default action, which ends the process. Only Linux shows this. A signal that
    /// is caught, ignored, or blocked, as for signalfd(2), does something else.
    pub(super) fn dies_of(&self, signal: c_int) -> bool {
        fs::read_to_string(format!("/proc/{}/status", self.pid)).is_ok_and(|status| is_default(signal, &status))
    }

    /// As a start does until `main` begins, or the daemon is ready.
    pub(super) fn blocks_all_signals(&self) -> bool {
        const ALL: u64 = 0x7fff_ffff & !(1 << (libc::SIGKILL - 1)) & !(1 << (libc::SIGSTOP - 1));
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        set_of_signals("SigBlk", &status).is_some_and(|blocked| blocked & ALL == ALL)
    }

    /// Whether it ended in time.
    pub(super) fn wait(&self, timeout: Duration) -> io::Result<bool> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
            if self.ends_within(left)? {
                return Ok(true);
            }
            if left.is_zero() {
                return Ok(false);
            }
        }
    }

    fn ends_within(&self, time: Duration) -> io::Result<bool> {
        let Some(pidfd) = &self.pidfd else {
            thread::sleep(time.min(Duration::from_millis(10)));
            return Ok(!self.exists());
        };
        let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(ended) => Ok(ended > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn exists(&self) -> bool {
        nix::sys::signal::kill(self.pid, None) != Err(Errno::ESRCH)
    }
}

/// Whether the signal is in none of these sets, proc(5). If a set is missing, the signal may be in it.
fn is_default(signal: c_int, status: &str) -> bool {
    let is_in = |set| set_of_signals(set, status).is_none_or(|mask| mask >> (signal - 1) & 1 == 1);
    !["SigCgt", "SigIgn", "SigBlk"].into_iter().any(is_in)
}

fn set_of_signals(name: &str, status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}
