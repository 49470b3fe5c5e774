//! The null device, null(4).

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, IntoRawFd, RawFd},
};

use nix::{libc, sys::stat::SFlag};

use crate::{error::refused, sys};

/// Major number 1, minor number 3 on every Linux, null(4).
const NUMBER: Option<libc::dev_t> =
    if cfg!(any(target_os = "linux", target_os = "android")) { Some(0x103) } else { None };

pub(crate) struct Null {
    pub(crate) file: File,
    /// Which tells an open descriptor of it from others.
    pub(crate) number: libc::dev_t,
}

/// Opens the null device under a number above the standard streams. A standard stream that was closed is open on it
/// afterwards, so that no other file gets its number.
///
/// A plain file in its place, as by a mistaken `mv` or `>`, would be filled, and read from.
pub(crate) fn open() -> io::Result<Null> {
    loop {
        let file = File::options().read(true).write(true).open("/dev/null")?;
        let number = number_of(file.as_raw_fd())?;
        let Some(number) = number.filter(|&number| NUMBER.is_none_or(|null| null == number)) else {
            return Err(refused("it is not the null device"));
        };
        if file.as_raw_fd() > libc::STDERR_FILENO {
            return Ok(Null { file, number });
        }
        sys::set_close_on_exec(file.into_raw_fd(), false)?;
    }
}

/// Whether that descriptor is open on the device of that number.
pub(crate) fn is_open_on(fd: RawFd, number: libc::dev_t) -> bool {
    number_of(fd).is_ok_and(|found| found == Some(number))
}

/// None where it is not a character device.
fn number_of(fd: RawFd) -> io::Result<Option<libc::dev_t>> {
    let status = sys::status_of(fd)?;
    Ok((sys::kind_of(&status) == SFlag::S_IFCHR).then_some(status.st_rdev))
}
