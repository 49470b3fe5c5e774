//! The null device, null(4).

use std::{
    fs::File,
    io,
    os::{
        fd::{AsRawFd, IntoRawFd},
        unix::fs::{FileTypeExt, MetadataExt},
    },
};

use nix::libc;

use crate::{refusal::refused, sys};

/// Opens the null device, above the standard streams. Those of them that are closed are open on it after that: no file
/// that is opened later gets their numbers.
///
/// A plain file in its place, which somebody's `mv` or `>` makes, would be read from, and filled.
pub(crate) fn open() -> io::Result<File> {
    loop {
        let null = File::options().read(true).write(true).open("/dev/null")?;
        if !is_null(&null)? {
            return Err(refused("it is not the null device"));
        }
        if null.as_raw_fd() > libc::STDERR_FILENO {
            return Ok(null);
        }
        sys::set_close_on_exec(null.into_raw_fd(), false)?;
    }
}

/// Major number 1, minor number 3 on every Linux, null(4).
const NUMBER: Option<u64> = if cfg!(any(target_os = "linux", target_os = "android")) { Some(0x103) } else { None };

fn is_null(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    Ok(metadata.file_type().is_char_device() && NUMBER.is_none_or(|number| metadata.rdev() == number))
}
