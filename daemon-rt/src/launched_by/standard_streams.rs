//! The standard streams, and the terminal, that the program got.

use std::{
    fs::File,
    os::{fd::RawFd, unix::fs::OpenOptionsExt},
};

use nix::{libc, sys::stat::SFlag};

use crate::sys;

/// A session without a terminal cannot open it (ENXIO), tty(4). If that device file is missing, a stream that is a
/// terminal counts instead.
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

/// Whether nobody waits at the other end of a standard stream: none is a terminal, pipe or socket.
pub(super) fn are_nobodys() -> bool {
    sys::STANDARD_STREAMS
        .into_iter()
        .all(|fd| !is(fd, SFlag::S_IFIFO) && !is(fd, SFlag::S_IFSOCK) && !sys::is_terminal(fd))
}

fn is(fd: RawFd, kind: SFlag) -> bool {
    sys::status_of(fd).is_ok_and(|status| sys::kind_of(&status) == kind)
}
