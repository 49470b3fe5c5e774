//! The descriptor on which a supervisor waits for a newline: `notification-fd` of s6, `ready-notification` of dinit,
//! `notify` of supervise-daemon.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
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
    /// None where the descriptor is no pipe that the program inherited: nobody waits there.
    pub(crate) fn take(daemon: &mut Daemon) -> Result<Option<Self>, Error> {
        let Some(fd) = daemon.ready_fd.map(check::ready_fd).transpose()? else { return Ok(None) };
        let is_pipe = sys::status_of(fd).is_ok_and(|status| sys::kind_of(&status) == SFlag::S_IFIFO);
        if !is_pipe || !sys::is_writable(fd) || daemon.launched_by.passed_fds().contains(&fd) {
            return Ok(None);
        }
        Ok(daemon.inherited.take(fd).ok().map(Self))
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
            Some(seen) if seen.contains(PollFlags::POLLOUT) => Ok(write(&self.0, b"\n").map(drop)?),
            _ => Err(Errno::EAGAIN.into()),
        }
    }
}

/// In the foreground: the program is ready.
pub(crate) fn ready() -> Result<(), Error> {
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    own.as_ref().map_or(Ok(()), ReadyFd::tell)?;
    *own = None;
    Ok(())
}
