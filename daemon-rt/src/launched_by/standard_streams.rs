//! The standard streams, and the terminal, that the program was given.

use std::{
    fs::File,
    os::{fd::RawFd, unix::fs::OpenOptionsExt},
};

use nix::{libc, sys::stat::SFlag};

use crate::sys;

/// A session without one cannot open it (ENXIO), tty(4). Where that device is missing, a stream stands in for it.
pub(super) fn have_controlling_terminal() -> bool {
    match File::options().read(true).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK).open("/dev/tty") {
        Ok(_) => true,
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => false,
        Err(_) => sys::STANDARD_STREAMS.into_iter().any(sys::is_terminal),
    }
}

pub(super) fn socket_family(fd: RawFd) -> Option<libc::c_int> {
    is(fd, SFlag::S_IFSOCK).then(|| sys::socket_family(fd).ok())?
}

/// Whether nobody waits at the other end of one of the standard streams: no terminal, pipe or socket.
pub(super) fn are_nobodys() -> bool {
    sys::STANDARD_STREAMS
        .into_iter()
        .all(|fd| !is(fd, SFlag::S_IFIFO) && !is(fd, SFlag::S_IFSOCK) && !sys::is_terminal(fd))
}

fn is(fd: RawFd, kind: SFlag) -> bool {
    sys::status_of(fd).is_ok_and(|status| sys::kind_of(&status) == kind)
}
