//! Marks in a program's run that its tracer sees: closing a descriptor that nobody has.

use std::os::fd::RawFd;

use nix::unistd::close;

/// What begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Mark {
    /// The start.
    Start = -1001,
    /// The user's `setup`.
    Setup = -1002,
    /// The user's `main`.
    Main = -1003,
}

impl Mark {
    /// Lets a tracer know.
    pub fn set(self) {
        let _ = close(self as RawFd);
    }

    /// The mark that closing that descriptor means.
    #[must_use]
    pub fn of(descriptor: RawFd) -> Option<Self> {
        [Self::Start, Self::Setup, Self::Main].into_iter().find(|mark| *mark as RawFd == descriptor)
    }
}
