//! Waits for the end of a child, and for sockets and a deadline at the same time.
//!
//! Only the child itself shows its end. A pipe would not: it stays open if a worker of the daemon has a copy of it.

use std::{
    cell::Cell,
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    libc::{self, c_int},
    poll::{PollFd, PollFlags},
    sys::signal::{SigSet, SigmaskHow, Signal},
};

use crate::sys;

/// SIGCHLD is blocked except while somebody waits, so the end of a child between a look and a wait is not missed.
pub(crate) struct Children {
    while_waiting: SigSet,
    look_again: Cell<bool>,
}

impl Children {
    /// Blocks these signals. They must include SIGCHLD. The leader, which its terminal must not end, blocks all.
    pub(crate) fn watch(block: SigSet) -> io::Result<Self> {
        sys::let_interrupt(libc::SIGCHLD);
        block.thread_block()?;
        let mut while_waiting = sys::change_mask(SigmaskHow::SIG_BLOCK, None)?;
        while_waiting.remove(Signal::SIGCHLD);
        Ok(Self { while_waiting, look_again: Cell::default() })
    }

    /// Unblocks these as well while somebody waits.
    pub(crate) fn let_in(&mut self, signals: [c_int; 2]) {
        signals.into_iter().flat_map(Signal::try_from).for_each(|signal| self.while_waiting.remove(signal));
    }

    /// Blocks all signals, except while somebody waits.
    pub(crate) fn watch_all_signals() -> Self {
        let _ = SigSet::all().thread_block(); // fails only on an unknown operation, pthread_sigmask(3)
        Self { while_waiting: SigSet::empty(), look_again: Cell::default() }
    }

    /// Delivers the signals that came while they were blocked.
    pub(crate) fn let_signals_in(&self) {
        let _ = self.while_waiting.thread_set_mask();
        let _ = SigSet::all().thread_set_mask();
    }

    /// Makes the next wait return at once. One SIGCHLD may stand for the ends of several children, signal(7): whoever waits
    /// for a single child may take the signal for another one.
    pub(crate) fn look_again(&self) {
        self.look_again.set(true);
    }

    /// Returns when a child may have ended, one of the sockets is readable or closed, or the deadline has passed. The
    /// result says which of the sockets it is.
    pub(crate) fn wait<const N: usize>(
        &self,
        sockets: [&UnixStream; N],
        deadline: Option<Instant>,
    ) -> io::Result<[bool; N]> {
        self.wait_for_some(sockets.map(Some), deadline)
    }

    /// The same, but some of the sockets may be missing.
    pub(crate) fn wait_for_some<const N: usize>(
        &self,
        sockets: [Option<&UnixStream>; N],
        deadline: Option<Instant>,
    ) -> io::Result<[bool; N]> {
        if self.look_again.take() {
            return Ok([false; N]);
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let answered = |answer: nix::Result<i32>| match answer {
            Ok(_) => Ok(true),
            Err(Errno::EINTR) => Ok(false),
            Err(error) => Err(io::Error::from(error)),
        };
        let Some(present) = sockets.into_iter().flatten().next() else {
            return answered(self.poll(&mut [], left)).map(|_| [false; N]);
        };
        // If a socket is missing, another one is polled twice instead.
        let mut asked = sockets.map(|socket| PollFd::new(socket.unwrap_or(present).as_fd(), PollFlags::POLLIN));
        let is_answered = answered(self.poll(&mut asked, left))?;
        let mut spoke = sockets.map(|socket| socket.is_some() && is_answered);
        for (spoke, asked) in spoke.iter_mut().zip(asked) {
            *spoke &= asked.any().unwrap_or(true);
        }
        Ok(spoke)
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "dragonfly"))]
    fn poll(&self, sockets: &mut [PollFd], left: Option<Duration>) -> nix::Result<i32> {
        nix::poll::ppoll(sockets, left.map(Into::into), Some(self.while_waiting))
    }

    /// Without ppoll(2), a signal cannot be unblocked only for the wait: so look for ended children every 20 ms.
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "dragonfly")))]
    fn poll(&self, sockets: &mut [PollFd], left: Option<Duration>) -> nix::Result<i32> {
        let _ = self.while_waiting;
        let slice = left.unwrap_or(Duration::MAX).min(Duration::from_millis(20));
        nix::poll::poll(sockets, nix::poll::PollTimeout::try_from(slice).unwrap_or(nix::poll::PollTimeout::ZERO))
    }
}
