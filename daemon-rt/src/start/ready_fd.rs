//! The descriptor on which a supervisor waits for a newline: `notification-fd` of s6, `ready-notification` of dinit,
//! `notify` of supervise-daemon.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    sync::{Mutex, PoisonError},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::stat::SFlag,
    unistd::write,
};

use super::check;
use crate::{Daemon, Error, sys};

/// What waits is told once: behind the newline it is closed.
pub(crate) struct ReadyFd(OwnedFd);

/// That of the running program, in the foreground, until it is ready.
static OWN: Mutex<Option<ReadyFd>> = Mutex::new(None);

impl ReadyFd {
    /// None where the number is not that of a pipe that the launch handed on: nobody waits there.
    pub(crate) fn take(daemon: &mut Daemon) -> Result<Option<Self>, Error> {
        let Some(number) = daemon.ready_fd.map(check::ready_fd).transpose()? else { return Ok(None) };
        if !daemon.inherited.has(number) || daemon.launched_by.passed_descriptors().contains(&number) {
            return Ok(None);
        }
        let is_pipe = is_pipe_to_write(number)
            .map_err(|error| Error::because(format!("cannot look at file descriptor {number}"), error))?;
        if !is_pipe {
            return Ok(None);
        }
        daemon.inherited.take(number).map(|fd| Some(Self(fd)))
    }

    /// Keeps it for [`ready`].
    pub(crate) fn keep(self) {
        *OWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(self);
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
            Some(seen) if seen.contains(PollFlags::POLLOUT) => {
                sys::uninterrupted(|| Ok(write(&self.0, b"\n").map(drop)?))
            }
            _ => Err(Errno::EAGAIN.into()),
        }
    }
}

fn is_pipe_to_write(number: RawFd) -> io::Result<bool> {
    Ok(sys::kind_of(&sys::status_of(number)?) == SFlag::S_IFIFO && sys::is_writable(number)?)
}

/// In the foreground: the program is ready.
pub(crate) fn ready() -> Result<(), Error> {
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    own.as_ref().map_or(Ok(()), ReadyFd::tell)?;
    *own = None;
    Ok(())
}
