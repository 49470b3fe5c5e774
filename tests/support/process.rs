//! A process, seen through /proc.

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, TcpStream},
    path::PathBuf,
    thread,
};

use nix::{
    sched::{CloneFlags, setns},
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::{DEADLINE, eventually};

/// A process that a test started, directly or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(pub i32);

impl Process {
    /// The test itself.
    #[must_use]
    pub fn own() -> Self {
        Self(Pid::this().as_raw())
    }

    /// A field of /proc/PID/stat by its number in proc(5), from 3 on.
    #[must_use]
    pub fn stat(self, field: usize) -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        Some(stat.rsplit_once(") ")?.1.split(' ').nth(field.checked_sub(3)?)?.to_owned())
    }

    /// A number among the fields of /proc/PID/stat.
    ///
    /// # Panics
    ///
    /// Panics when there is no such process.
    #[must_use]
    pub fn number(self, field: usize) -> i32 {
        self.stat(field).and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{self:?} has ended"))
    }

    /// The parent's process id.
    #[must_use]
    pub fn parent(self) -> i32 {
        self.number(4)
    }

    /// The one child that it has.
    #[must_use]
    pub fn child(self) -> Option<Self> {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.0)).ok()?;
        children.trim().parse().ok().map(Self)
    }

    /// Whether it has a pidfd of that process, to wait for its end.
    #[must_use]
    pub fn has_pidfd_of(self, other: Self) -> bool {
        let line = format!("Pid:\t{}", other.0);
        let descriptors = fs::read_dir(format!("/proc/{}/fdinfo", self.0)).into_iter().flatten().flatten();
        descriptors
            .filter_map(|descriptor| fs::read_to_string(descriptor.path()).ok())
            .any(|descriptor| descriptor.lines().any(|found| found == line))
    }

    /// The process group.
    #[must_use]
    pub fn group(self) -> i32 {
        self.number(5)
    }

    /// The session.
    #[must_use]
    pub fn session(self) -> i32 {
        self.number(6)
    }

    /// The program's name, as ps(1) and proc(5) have it.
    #[must_use]
    pub fn name(self) -> String {
        self.status("Name").unwrap_or_default()
    }

    /// Whether it runs: a zombie does not.
    #[must_use]
    pub fn is_alive(self) -> bool {
        self.stat(3).is_some_and(|state| !["Z", "X"].contains(&state.as_str()))
    }

    /// A line of /proc/PID/status.
    #[must_use]
    pub fn status(self, key: &str) -> Option<String> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        status.lines().find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(':')?.trim().to_owned()))
    }

    /// Whether that signal was sent to the whole process, and is not delivered yet, proc(5).
    ///
    /// # Panics
    ///
    /// Panics when there is no such process.
    #[must_use]
    pub fn has_pending(self, signal: Signal) -> bool {
        let pending = self.status("ShdPnd").expect("its status");
        u64::from_str_radix(&pending, 16).expect("a set of signals") & (1 << (signal as i32 - 1)) != 0
    }

    /// What a descriptor is open on.
    #[must_use]
    pub fn descriptor(self, number: i32) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/fd/{number}", self.0)).ok()
    }

    /// A connection on the loopback interface of the network that it is in, if somebody listens there.
    ///
    /// # Errors
    ///
    /// Those of setns(2) and connect(2).
    ///
    /// # Panics
    ///
    /// Panics when there is no thread to be had.
    pub fn connect(self, port: u16) -> io::Result<TcpStream> {
        let network = File::open(format!("/proc/{}/ns/net", self.0))?;
        // A thread may be in another network, and a socket stays in the one where it was made.
        let connection = thread::scope(|scope| {
            let connected = scope.spawn(|| {
                setns(network, CloneFlags::CLONE_NEWNET)?;
                TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            });
            connected.join().expect("a thread")
        })?;
        connection.set_read_timeout(Some(DEADLINE))?;
        Ok(connection)
    }

    /// Sends a signal; a process that has ended takes it without complaint.
    pub fn signal(self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.0), signal);
    }

    /// Waits until it has ended, and reaps it: as the nearest subreaper, this process is its parent by then.
    #[allow(clippy::must_use_candidate, reason = "it is called for the wait")]
    pub fn wait(self) -> WaitStatus {
        eventually("the end of a process", || match waitpid(Pid::from_raw(self.0), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(_) => None,
            Ok(status) => Some(status),
        })
    }
}

/// The processes in whose environment that text stands.
#[must_use]
pub fn processes_marked(mark: &str) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environment| environment.split(|&byte| byte == 0).any(|entry| entry == mark.as_bytes()))
        })
        .map(Process)
        .filter(|process| process.is_alive())
        .collect()
}
