//! The record lock of a whole file, fcntl(2). The kernel tells everyone who can open the file which process has it.

use std::{io, mem::MaybeUninit, os::fd::BorrowedFd};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
    libc::{self, c_short},
    unistd::Pid,
};

/// Takes a shared lock, for which it is enough that the file is open for reading. A forked child does not have the
/// lock, and it is gone when this process closes any descriptor of the file.
pub(crate) fn lock_record(file: BorrowedFd<'_>) -> io::Result<()> {
    fcntl(file, FcntlArg::F_SETLK(&whole_file(libc::F_RDLCK)?))?;
    Ok(())
}

/// The process that has such a lock, if it is another one, and of this pid namespace.
pub(crate) fn record_locker(file: BorrowedFd<'_>) -> io::Result<Option<Pid>> {
    let mut lock = whole_file(libc::F_WRLCK)?;
    fcntl(file, FcntlArg::F_GETLK(&mut lock))?;
    let is_taken = lock.l_type != kind(libc::F_UNLCK)?;
    Ok((is_taken && lock.l_pid > 0).then(|| Pid::from_raw(lock.l_pid)))
}

fn whole_file(lock: impl TryInto<c_short>) -> io::Result<libc::flock> {
    // SAFETY: all zeroes is a valid `flock`: from the start of the file, to its end.
    let mut whole_file: libc::flock = unsafe { MaybeUninit::zeroed().assume_init() };
    whole_file.l_type = kind(lock)?;
    Ok(whole_file)
}

/// Its type differs from system to system.
fn kind(lock: impl TryInto<c_short>) -> io::Result<c_short> {
    lock.try_into().map_err(|_| Errno::EINVAL.into())
}
