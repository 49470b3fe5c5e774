//! Without flock(2), no file says that a daemon runs.

use crate::{Control, Daemon, Error};

pub(crate) fn obey(_: &mut Daemon, control: Control) -> Result<(), Error> {
    Err(Error::new(format!("cannot obey `{control}`: there is no flock on this platform")))
}
