//! File descriptors by number. Any of them may be closed.

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd, RawFd},
};

use nix::{
    errno::Errno,
    libc::{self, c_int},
    sys::stat::{FileStat, SFlag},
    unistd::{dup2_stderr, dup2_stdin, dup2_stdout},
};

use super::signals::uninterrupted;

/// Standard input, output and error.
pub(crate) const STANDARD_STREAMS: [RawFd; 3] = [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO];

/// A descriptor without an owner: any code may replace it or write to it, and no code closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StandardStream {
    Stdin,
    Stdout,
    Stderr,
}

impl AsRawFd for StandardStream {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Stdin => libc::STDIN_FILENO,
            Self::Stdout => libc::STDOUT_FILENO,
            Self::Stderr => libc::STDERR_FILENO,
        }
    }
}

/// fstat(2).
pub(crate) fn status_of(fd: RawFd) -> io::Result<FileStat> {
    // SAFETY: all zeroes is a valid status. A C library need not fill every field.
    let mut status: FileStat = unsafe { mem::zeroed() };
    // SAFETY: `status` is a valid place for the result; fstat(2) refuses a number that is not open.
    Errno::result(unsafe { libc::fstat(fd, &raw mut status) })?;
    Ok(status)
}

/// Which kind of file it is: `S_IFREG` and the like, inode(7).
pub(crate) fn kind_of(status: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(status.st_mode & libc::S_IFMT)
}

/// What distinguishes a file from every other as long as it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) device: libc::dev_t,
    pub(crate) inode: libc::ino_t,
}

impl FileId {
    pub(crate) fn of(status: &FileStat) -> Self {
        Self { device: status.st_dev, inode: status.st_ino }
    }
}

/// The file that a descriptor is open on.
pub(crate) fn file_id(fd: RawFd) -> io::Result<FileId> {
    status_of(fd).map(|status| FileId::of(&status))
}

/// isatty(3).
pub(crate) fn is_terminal(fd: RawFd) -> bool {
    // SAFETY: has no preconditions; a number that is not open is refused.
    unsafe { libc::isatty(fd) == 1 }
}

/// `FD_CLOEXEC`, fcntl(2).
pub(crate) fn closes_on_exec(fd: RawFd) -> io::Result<bool> {
    // SAFETY: has no preconditions; a number that is not open is refused.
    let flags = Errno::result(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
    Ok(flags & libc::FD_CLOEXEC != 0)
}

/// Whether it is open for writing, also if for reading as well.
pub(crate) fn is_writable(fd: RawFd) -> io::Result<bool> {
    // SAFETY: has no preconditions; a number that is not open is refused.
    let flags = Errno::result(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    Ok(flags & libc::O_ACCMODE != libc::O_RDONLY)
}

/// Sets or clears `FD_CLOEXEC`.
pub(crate) fn set_close_on_exec(fd: RawFd, on: bool) -> io::Result<()> {
    let flags = if on { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: has no preconditions; a number that is not open is refused.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFD, flags) })?;
    Ok(())
}

/// Whether both are open, and on the same file.
pub(crate) fn are_the_same(one: RawFd, other: RawFd) -> bool {
    matches!([one, other].map(file_id), [Ok(one), Ok(other)] if one == other)
}

/// Opens a standard stream on the source's file, dup2(2). It stays open in programs that are executed.
///
/// dup2(2) clears `FD_CLOEXEC` on the copy, but does nothing at all if both are the same descriptor.
pub(crate) fn redirect(stream: StandardStream, source: BorrowedFd<'_>) -> io::Result<()> {
    if source.as_raw_fd() == stream.as_raw_fd() {
        return set_close_on_exec(stream.as_raw_fd(), false);
    }
    until_done(|| match stream {
        StandardStream::Stdin => dup2_stdin(source),
        StandardStream::Stdout => dup2_stdout(source),
        StandardStream::Stderr => dup2_stderr(source),
    })
}

/// Opens the descriptor on the source's file, with the same number. It is closed on exec.
pub(crate) fn reopen_as(fd: BorrowedFd<'_>, source: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both are open, and whoever owns the first goes on owning what its number stands for.
    until_done(|| Errno::result(unsafe { libc::dup2(source.as_raw_fd(), fd.as_raw_fd()) }).map(drop))?;
    set_close_on_exec(fd.as_raw_fd(), true)
}

/// Duplicates it to the lowest free number from `least` on. The copy is closed on exec and has no owner: this is for a
/// process that is about to exec.
pub(crate) fn duplicate_above(fd: RawFd, least: RawFd) -> io::Result<RawFd> {
    // SAFETY: has no preconditions; a number that is not open is refused.
    Ok(Errno::result(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, least) })?)
}

/// Opens a number on the source's file, dup2(2), whatever it was before. It stays open in the program that is executed.
/// This is for a process that is about to exec, and no longer uses what had such a number.
pub(crate) fn place(source: RawFd, number: RawFd) -> io::Result<()> {
    // SAFETY: nobody uses the number any more, as the caller promises.
    until_done(|| Errno::result(unsafe { libc::dup2(source, number) }).map(drop))
}

/// Closes all descriptors above the standard ones, except for those to keep. The owners of the others still have the
/// numbers, so this is for a process that does nothing more with them and ends by `_exit`. It does not allocate.
pub(crate) fn close_all_but<const N: usize>(mut keep: [Option<RawFd>; N]) {
    keep.sort_unstable();
    let mut first = libc::STDERR_FILENO + 1;
    for kept in keep.into_iter().flatten().filter(|&kept| kept > libc::STDERR_FILENO) {
        close_between(first, kept - 1);
        first = kept + 1;
    }
    close_between(first, RawFd::MAX);
}

/// `close_range(2)`. Before Linux 5.9, and on other systems, closes one after the other, as far as such numbers are
/// likely.
fn close_between(first: RawFd, last: RawFd) {
    const LIKELY: RawFd = 1023;
    if first > last {
        return;
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: nobody uses them any more, as the caller promises.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0 {
        return;
    }
    for fd in first..=last.min(LIKELY) {
        // SAFETY: as above; a number that is not open is refused.
        unsafe { libc::close(fd) };
    }
}

/// Repeats dup2(2) if a signal, or a race with open(2), prevented it.
pub(super) fn until_done(dup2: impl Fn() -> nix::Result<()>) -> io::Result<()> {
    loop {
        match dup2() {
            Err(Errno::EINTR | Errno::EBUSY) => {}
            done => return Ok(done?),
        }
    }
}

/// writev(2): writes both at once, so that no other line comes between them.
pub(crate) fn write_at_once(stream: StandardStream, parts: [&[u8]; 2]) -> io::Result<()> {
    let parts = parts.map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
    // SAFETY: pointers and lengths describe `parts`, which are only read; a stream that is not open is refused.
    Errno::result(unsafe { libc::writev(stream.as_raw_fd(), parts.as_ptr(), 2) })?;
    Ok(())
}

/// flock(2) without waiting. Returns whether the lock was free. The lock belongs to the open file description, and so
/// to every copy of the descriptor.
pub(crate) fn lock(file: BorrowedFd<'_>, operation: c_int) -> io::Result<bool> {
    // SAFETY: changes nothing but the lock.
    uninterrupted(|| match Errno::result(unsafe { libc::flock(file.as_raw_fd(), operation | libc::LOCK_NB) }) {
        Ok(_) => Ok(true),
        Err(Errno::EWOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    })
}
