//! The start where there is no fork: `main` runs in the foreground.

use crate::{Daemon, Detach, Error};

pub(crate) fn start(daemon: &mut Daemon) -> Result<(), Error> {
    match daemon.detach {
        Detach::Always => Err(Error::new("cannot detach: there is no fork on this platform")),
        Detach::Auto | Detach::Never => Ok(()),
    }
}

/// Nobody waits for the program to be ready.
///
/// # Errors
///
/// None here. On Unix, the launcher has gone.
pub fn ready() -> Result<(), Error> {
    Ok(())
}
