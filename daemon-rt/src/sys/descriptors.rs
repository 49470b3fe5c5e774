//! Descriptors by their numbers, which may not be open at all.

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use nix::{
    errno::Errno,
    libc::{self, c_int},
    sys::stat::{FileStat, SFlag},
};

use super::signals::uninterrupted;

/// Standard input, output and error.
pub(crate) const STANDARD_STREAMS: [RawFd; 3] = [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO];

/// fstat(2) of a number that may not be open at all.
pub(crate) fn status_of(fd: RawFd) -> io::Result<FileStat> {
    // SAFETY: all zeroes is a valid status. A C library need not fill what it has no use for.
    let mut status: FileStat = unsafe { mem::zeroed() };
    // SAFETY: `status` is a valid place for the result; fstat(2) refuses a number that is not open.
    Errno::result(unsafe { libc::fstat(fd, &raw mut status) })?;
    Ok(status)
}

/// Which kind of file it is: `S_IFREG` and the like, inode(7).
pub(crate) fn kind_of(status: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(status.st_mode & libc::S_IFMT)
}

/// What tells an open file from every other, as long as it is open: the numbers of its device and its inode.
pub(crate) fn identity_of(fd: RawFd) -> io::Result<(libc::dev_t, libc::ino_t)> {
    status_of(fd).map(|status| (status.st_dev, status.st_ino))
}

/// isatty(3) of a number that may not be open at all.
pub(crate) fn is_terminal(fd: RawFd) -> bool {
    // SAFETY: has no preconditions; a number that is not open is refused.
    unsafe { libc::isatty(fd) == 1 }
}

/// `FD_CLOEXEC` of a number that may not be open at all.
pub(crate) fn closes_on_exec(fd: RawFd) -> io::Result<bool> {
    // SAFETY: has no preconditions; a number that is not open is refused.
    let flags = Errno::result(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
    Ok(flags & libc::FD_CLOEXEC != 0)
}

/// Whether it was opened to write, or to write as well.
pub(crate) fn is_writable(fd: RawFd) -> io::Result<bool> {
    // SAFETY: has no preconditions; a number that is not open is refused.
    let flags = Errno::result(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    Ok(flags & libc::O_ACCMODE != libc::O_RDONLY)
}

/// Sets or clears `FD_CLOEXEC`.
pub(crate) fn set_close_on_exec(fd: RawFd, on: bool) -> nix::Result<()> {
    let flags = if on { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: has no preconditions; a number that is not open is refused.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFD, flags) })?;
    Ok(())
}

/// Takes possession of a descriptor: one that exec handed on, or that fcntl(2) has just opened.
///
/// The caller has checked that it is open, and not taken before: nothing in the process owns it.
pub(crate) fn take(fd: RawFd) -> OwnedFd {
    // SAFETY: open, and without an owner, as the caller checked.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Whether both are open, and on the same file.
pub(crate) fn are_the_same(one: RawFd, other: RawFd) -> bool {
    matches!([one, other].map(identity_of), [Ok(one), Ok(other)] if one == other)
}

/// dup2(2) that leaves the new descriptor open for programs that are exec'ed.
///
/// dup2(2) clears `FD_CLOEXEC` on the copy, but does nothing at all where both numbers are the same.
pub(crate) fn duplicate_onto(source: BorrowedFd<'_>, target: RawFd) -> nix::Result<()> {
    if source.as_raw_fd() == target {
        return set_close_on_exec(target, false);
    }
    loop {
        // SAFETY: the targets are 0, 1 and 2, and that by which a log keeps its inode, none of which anyone owns: they are
        // replaced, never closed.
        match Errno::result(unsafe { libc::dup2(source.as_raw_fd(), target) }) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR | Errno::EBUSY) => {} // EBUSY: a race with open(2), dup2(2)
            Err(error) => return Err(error),
        }
    }
}

/// writev(2): both at once, so that no other line comes between.
pub(crate) fn write_at_once(fd: RawFd, parts: [&[u8]; 2]) -> nix::Result<()> {
    let parts = parts.map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
    // SAFETY: pointers and lengths describe `parts`, which are only read; a number that is not open is refused.
    Errno::result(unsafe { libc::writev(fd, parts.as_ptr(), 2) })?;
    Ok(())
}

/// flock(2) without waiting: whether the lock was free. An open file has one lock, whoever its descriptor is copied to.
pub(crate) fn lock(file: BorrowedFd<'_>, operation: c_int) -> io::Result<bool> {
    // SAFETY: changes nothing but the lock.
    uninterrupted(|| match Errno::result(unsafe { libc::flock(file.as_raw_fd(), operation | libc::LOCK_NB) }) {
        Ok(_) => Ok(true),
        Err(Errno::EWOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    })
}
