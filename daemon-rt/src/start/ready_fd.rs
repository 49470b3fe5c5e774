//! The descriptor on which a supervisor waits for a newline: `notification-fd` of s6, `ready-notification` of dinit,
//! `notify` of supervise-daemon.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::stat::SFlag,
    unistd::write,
};

use super::check;
use crate::{Daemon, Error, sys};

/// Whoever has reported that the program is ready drops it, which closes the descriptor.
pub(crate) struct ReadyFd(OwnedFd);

impl ReadyFd {
    /// None if the descriptor is not a pipe that the program inherited: then nobody waits there.
    pub(crate) fn take(daemon: &mut Daemon) -> Result<Option<Self>, Error> {
        let Some(fd) = daemon.ready_fd.map(check::ready_fd).transpose()? else { return Ok(None) };
        if !daemon.inherited.has(fd) || daemon.launched_by.passed_fds().contains(&fd) {
            return Ok(None);
        }
        let is_pipe = is_pipe_to_write(fd)
            .map_err(|error| Error::because(format!("cannot look at file descriptor {fd}"), error))?;
        if !is_pipe {
            return Ok(None);
        }
        daemon.inherited.take(fd).map(|fd| Some(Self(fd)))
    }

    pub(crate) fn tell(&self) -> Result<(), Error> {
        self.write().map_err(|error| {
            Error::because(format!("cannot report readiness on file descriptor {}", self.0.as_raw_fd()), error)
        })
    }

    /// A full pipe does not block, and a pipe without a reader raises no SIGPIPE.
    fn write(&self) -> io::Result<()> {
        let mut pipe = [PollFd::new(self.0.as_fd(), PollFlags::POLLOUT)];
        sys::uninterrupted(|| Ok(poll(&mut pipe, PollTimeout::ZERO)?))?;
        match pipe[0].revents() {
            Some(seen) if seen.contains(PollFlags::POLLERR) => Err(Errno::EPIPE.into()),
            Some(seen) if seen.contains(PollFlags::POLLOUT) => {
                sys::uninterrupted(|| Ok(write(&self.0, b"\n").map(drop)?))
            }
            _ => Err(Errno::EAGAIN.into()),
        }
    }
}

fn is_pipe_to_write(fd: RawFd) -> io::Result<bool> {
    Ok(sys::kind_of(&sys::status_of(fd)?) == SFlag::S_IFIFO && sys::is_writable(fd)?)
}
