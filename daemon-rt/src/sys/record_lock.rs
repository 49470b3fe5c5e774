//! Record locks on a file, fcntl(2). The kernel shows everybody who can open the file which process has one.

use std::{io, mem::MaybeUninit, os::fd::BorrowedFd};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
    libc::{self, c_short, off_t},
    unistd::Pid,
};

/// Far beyond the content of the file, and above any process id.
const OF_DAEMONS: off_t = 1 << 30;

/// What a record lock stands for. The ranges do not overlap, so each has one owner: during an upgrade there are two
/// supervisors and two daemons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Record {
    /// The process that the file names.
    Named(Pid),
    /// Any process that the file names, or named.
    AnyNamed,
    /// The daemon of that supervisor.
    DaemonOf(Pid),
}

/// Takes a shared lock, so the file need only be open for reading. A forked child does not have the lock. It is lost
/// when this process closes any descriptor of the file.
pub(crate) fn lock_record(file: BorrowedFd<'_>, record: Record) -> io::Result<()> {
    fcntl(file, FcntlArg::F_SETLK(&lock(libc::F_RDLCK, record)?))?;
    Ok(())
}

/// The process that has such a lock, if it is another process, and in this pid namespace.
pub(crate) fn record_locker(file: BorrowedFd<'_>, record: Record) -> io::Result<Option<Pid>> {
    let mut lock = lock(libc::F_WRLCK, record)?;
    fcntl(file, FcntlArg::F_GETLK(&mut lock))?;
    let is_taken = lock.l_type != kind(libc::F_UNLCK)?;
    Ok((is_taken && lock.l_pid > 0).then(|| Pid::from_raw(lock.l_pid)))
}

fn lock(of_kind: impl TryInto<c_short>, record: Record) -> io::Result<libc::flock> {
    // SAFETY: all zeroes is a valid `flock`: from the start of the file, to its end.
    let mut lock: libc::flock = unsafe { MaybeUninit::zeroed().assume_init() };
    lock.l_type = kind(of_kind)?;
    (lock.l_start, lock.l_len) = match record {
        Record::Named(pid) => (pid.as_raw().into(), 1),
        Record::AnyNamed => (0, OF_DAEMONS),
        Record::DaemonOf(supervisor) => (OF_DAEMONS + off_t::from(supervisor.as_raw()), 1),
    };
    Ok(lock)
}

/// Its type differs from system to system.
fn kind(lock: impl TryInto<c_short>) -> io::Result<c_short> {
    lock.try_into().map_err(|_| Errno::EINVAL.into())
}
