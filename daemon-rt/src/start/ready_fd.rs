//! The descriptor on which a supervisor waits for a newline: `notification-fd` of s6, `ready-notification` of dinit,
//! `notify` of supervise-daemon.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::stat::SFlag,
    unistd::write,
};

use super::check;
use crate::{Daemon, Error, sys};

/// Whoever has told that the program is ready drops it, which closes the descriptor.
pub(crate) struct ReadyFd(OwnedFd);

impl ReadyFd {
    /// None where the descriptor is no pipe that the program inherited: nobody waits there.
    pub(crate) fn take(daemon: &mut Daemon) -> Result<Option<Self>, Error> {
        let Some(fd) = daemon.ready_fd.map(check::ready_fd).transpose()? else { return Ok(None) };
        let is_pipe = sys::status_of(fd).is_ok_and(|status| sys::kind_of(&status) == SFlag::S_IFIFO);
        if !is_pipe || !sys::is_writable(fd) || daemon.launched_by.passed_fds().contains(&fd) {
            return Ok(None);
        }
        Ok(daemon.inherited.take(fd).ok().map(Self))
    }

    pub(crate) fn tell(&self) -> Result<(), Error> {
        self.write().map_err(|error| {
            Error::because(format!("cannot report readiness on file descriptor {}", self.0.as_raw_fd()), error)
        })
    }

    /// A full pipe holds nobody up, and one that nobody reads raises no SIGPIPE.
    fn write(&self) -> io::Result<()> {
        let mut pipe = [PollFd::new(self.0.as_fd(), PollFlags::POLLOUT)];
        sys::uninterrupted(|| Ok(poll(&mut pipe, PollTimeout::ZERO)?))?;
        match pipe[0].revents() {
            Some(seen) if seen.contains(PollFlags::POLLERR) => Err(Errno::EPIPE.into()),
            Some(seen) if seen.contains(PollFlags::POLLOUT) => Ok(write(&self.0, b"\n").map(drop)?),
            _ => Err(Errno::EAGAIN.into()),
        }
    }
}
