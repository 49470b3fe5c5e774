//! Without flock(2), no file says that a daemon runs.

use std::{path::Path, time::Duration};

use super::{Status, Stopped};
use crate::{Error, terminal::shown};

pub(super) fn status(path: &Path) -> Result<Status, Error> {
    Err(refusal(path))
}

pub(super) fn signal(path: &Path, _: i32) -> Result<(), Error> {
    Err(refusal(path))
}

pub(super) fn reload(path: &Path) -> Result<(), Error> {
    Err(refusal(path))
}

pub(super) fn stop(path: &Path, _: Duration) -> Result<Stopped, Error> {
    Err(refusal(path))
}

pub(super) fn upgrade(path: &Path, _: Duration) -> Result<(), Error> {
    Err(refusal(path))
}

fn refusal(path: &Path) -> Error {
    Error::new(format!("cannot tell who holds {}: there is no flock on this platform", shown(path)))
}
