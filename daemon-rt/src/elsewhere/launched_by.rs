//! Without fork, the program stays with whatever started it.

use std::fmt;

use crate::inherited::Inherited;

/// What started the program, in words. On Unix it tells service managers from shells.
#[derive(Debug)]
pub struct LaunchedBy(());

impl LaunchedBy {
    pub(crate) fn find(_: &Inherited) -> Self {
        Self(())
    }

    /// Whether the program detaches with `Detach::Auto`. It does not on this platform.
    #[must_use]
    pub fn detaches(&self) -> bool {
        false
    }

    #[allow(clippy::unused_self, reason = "as where exec gives rights")]
    pub(crate) fn caller_sees_less(&self) -> bool {
        false
    }

    #[allow(clippy::unused_self, reason = "as where there is inetd")]
    pub(crate) fn has_peer_on_stderr(&self) -> bool {
        false
    }
}

impl fmt::Display for LaunchedBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a program: there is no fork on this platform")
    }
}
