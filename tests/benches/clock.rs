//! A clock whose readings in different processes compare, `CLOCK_MONOTONIC` in `clock_gettime(2)`.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::Result;

pub(crate) fn now() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_MONOTONIC)?.into())
}
