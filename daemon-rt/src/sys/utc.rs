//! The time of day.

use std::{
    mem::MaybeUninit,
    time::{SystemTime, UNIX_EPOCH},
};

use nix::libc;

/// In UTC, as in RFC 3339. None if the C library does not know the year.
pub(crate) fn utc(time: SystemTime) -> Option<String> {
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs().try_into().ok()?;
    let mut fields = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both are valid places, one to read and one to write.
    let is_known = !unsafe { libc::gmtime_r(&raw const seconds, fields.as_mut_ptr()) }.is_null();
    // SAFETY: it has written all of it then, gmtime(3).
    let tm = is_known.then(|| unsafe { fields.assume_init() })?;
    let (year, month) = (tm.tm_year + 1900, tm.tm_mon + 1);
    Some(format!("{year:04}-{month:02}-{:02}T{:02}:{:02}:{:02}Z", tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec))
}
