//! The null device, null(4).

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, IntoRawFd},
};

use nix::libc;

use crate::sys;

/// Opens the null device, above the standard streams. Those of them that are closed are open on it after that: no file
/// that is opened later gets their numbers.
pub(crate) fn open() -> io::Result<File> {
    loop {
        let null = File::options().read(true).write(true).open("/dev/null")?;
        if null.as_raw_fd() > libc::STDERR_FILENO {
            return Ok(null);
        }
        sys::set_close_on_exec(null.into_raw_fd(), false)?;
    }
}
