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
    /// It tells a descriptor that is open on the device from others.
    pub(crate) number: libc::dev_t,
}

/// Opens the null device, with a number above the standard streams. A closed standard stream is then open on it, so
/// that no other file gets its number.
///
/// A regular file in its place, left by a mistaken `mv` or `>`, is refused: it would be written to, and read from.
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

/// Whether that descriptor is open on the device with that number.
pub(crate) fn is_open_on(fd: RawFd, number: libc::dev_t) -> bool {
    number_of(fd).is_ok_and(|found| found == Some(number))
}

/// None if it is not a character device.
fn number_of(fd: RawFd) -> io::Result<Option<libc::dev_t>> {
    let status = sys::status_of(fd)?;
    Ok((sys::kind_of(&status) == SFlag::S_IFCHR).then_some(status.st_rdev))
}
