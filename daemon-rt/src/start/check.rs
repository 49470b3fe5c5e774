//! The checks of option values that the attribute makes on literals, for values that are known at run time only.

use std::{
    ffi::OsString,
    os::{fd::RawFd, unix::ffi::OsStrExt},
    path::Path,
    time::Duration,
};

use nix::sys::stat::Mode;

use crate::{Error, sys, terminal::shown};

/// A path that means what it says: not empty, without a NUL byte, and no word that looks like something else.
pub(crate) fn path<'path>(option: &str, path: &'path Path) -> Result<&'path Path, Error> {
    let bytes = path.as_os_str().as_bytes();
    let mistake = match bytes {
        b"" => format!("`{option}` is empty"),
        _ if bytes.contains(&0) => format!("`{option}` contains a NUL byte"),
        [b'~', ..] => format!("`{option}` starts with `~`, which only a shell expands; did you mean an absolute path?"),
        b"null" if is_stream(option) => did_you_mean(option, path, "null"),
        b"inherit" | b"-" if is_stream(option) => did_you_mean(option, path, "inherit"),
        _ => return Ok(path),
    };
    Err(Error::new(mistake))
}

fn is_stream(option: &str) -> bool {
    ["stdin", "stdout", "stderr"].contains(&option)
}

fn did_you_mean(option: &str, path: &Path, constructor: &str) -> String {
    let path = shown(path);
    format!("`{option}` is the path `{path}`; did you mean `Stdio::{constructor}()`? a file of that name is `./{path}`")
}

/// Names alone: one with a value is no name, POSIX XBD 8.1, and would be kept by none.
pub(crate) fn keep_env(names: Vec<OsString>) -> Result<Vec<OsString>, Error> {
    for name in &names {
        match name.as_bytes() {
            b"" => return Err(Error::new("`keep_env` has an empty name")),
            bytes if bytes.contains(&b'=') => {
                return Err(Error::new(format!("`keep_env` takes names of variables, found `{}`", shown(name))));
            }
            _ => {}
        }
    }
    Ok(names)
}

pub(crate) fn keep_fds(numbers: Vec<RawFd>) -> Result<Vec<RawFd>, Error> {
    for &number in &numbers {
        sys::status_of(number)
            .map_err(|error| Error::because(format!("cannot keep file descriptor {number}"), error))?;
    }
    Ok(numbers)
}

/// The permission bits and no more: umask(2) would ignore others in silence.
pub(crate) fn umask(umask: u32) -> Result<Mode, Error> {
    #[allow(clippy::useless_conversion, reason = "some systems have 16 bits for it")]
    match umask.try_into() {
        Ok(bits) if umask <= 0o777 => Ok(Mode::from_bits_truncate(bits)),
        _ => Err(Error::new(format!("`umask` must be between 0o000 and 0o777, found {umask:#o}"))),
    }
}

pub(crate) fn start_timeout(timeout: Duration) -> Result<Duration, Error> {
    if timeout.is_zero() {
        return Err(Error::new("`start_timeout` is zero: no daemon could be ready in time"));
    }
    Ok(timeout)
}
