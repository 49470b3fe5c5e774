//! Systems without pidfds.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use nix::{libc::c_int, unistd::Pid};

pub(crate) fn pidfd_open(_: Pid) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn pidfd_send_signal(_: BorrowedFd<'_>, _: c_int) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
