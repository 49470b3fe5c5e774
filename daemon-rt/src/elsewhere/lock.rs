//! Without flock(2), no process holds a lock.

#[derive(Debug)]
pub(crate) enum Lock {}
