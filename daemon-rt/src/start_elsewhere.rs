//! The start where there is no fork: `main` runs in the foreground.

use crate::{Daemon, Detach, Error};

pub(crate) fn start(daemon: &mut Daemon) -> Result<(), Error> {
    if daemon.pidfile.is_some() {
        return lock(daemon);
    }
    match daemon.detach {
        Detach::Always => Err(Error::new("cannot detach: there is no fork on this platform")),
        Detach::Auto | Detach::Never => Ok(()),
    }
}

pub(crate) fn lock(_: &mut Daemon) -> Result<(), Error> {
    Err(Error::new("cannot lock a pidfile: there is no flock on this platform"))
}

pub(crate) fn other_instance(_: &Daemon) -> Option<Error> {
    None
}

/// Nobody waits for the program to be ready.
///
/// # Errors
///
/// None here. On Unix, the launcher has gone.
pub fn ready() -> Result<(), Error> {
    Ok(())
}
