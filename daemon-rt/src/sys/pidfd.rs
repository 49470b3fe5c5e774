//! Descriptors that always refer to the same process, `pidfd_open(2)`.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use nix::{
    errno::Errno,
    libc::{self, c_int},
    unistd::Pid,
};

/// `pidfd_open(2)`. `Unsupported` before Linux 5.3, or if a filter of system calls forbids it.
pub(crate) fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: a new descriptor is returned, or an error.
    match Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) }) {
        Ok(fd) => {
            let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
            // SAFETY: just opened, and nobody else's.
            Ok(unsafe { OwnedFd::from_raw_fd(fd) })
        }
        Err(Errno::ENOSYS | Errno::EPERM) => Err(io::ErrorKind::Unsupported.into()),
        Err(error) => Err(error.into()),
    }
}

/// `pidfd_send_signal(2)`.
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: c_int) -> io::Result<()> {
    let no_info = ptr::null::<libc::siginfo_t>();
    // SAFETY: without `siginfo_t` the kernel fills in one, as for kill(2).
    Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_info, 0) })?;
    Ok(())
}
