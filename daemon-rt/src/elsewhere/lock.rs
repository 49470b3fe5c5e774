//! Where there is no flock(2), nobody holds a lock.

#[derive(Debug)]
pub(crate) enum Lock {}
