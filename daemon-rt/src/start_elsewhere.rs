//! The start where there is no fork: `main` runs in the foreground.

use crate::{Daemon, Detach, Error};

pub(crate) fn start(daemon: &mut Daemon) -> Result<(), Error> {
    match daemon.detach {
        Detach::Always => Err(Error::new("cannot detach: this platform has no fork")),
        Detach::Auto | Detach::Never => Ok(()),
    }
}
