//! The attribute's checks of literals, for values that are known only at run time.

use std::{
    ffi::OsString,
    os::{fd::RawFd, unix::ffi::OsStrExt},
    path::Path,
    time::Duration,
};

use nix::{libc, sys::stat::Mode};

use crate::{Daemon, Error, Stdio, sys, terminal::shown};

/// Refuses a path that is empty, has a NUL byte, or was taken for a path by mistake.
pub(crate) fn path<'path>(option: &str, path: &'path Path) -> Result<&'path Path, Error> {
    let bytes = path.as_os_str().as_bytes();
    let mistake = match bytes {
        b"" => format!("`{option}` is empty"),
        _ if bytes.contains(&0) => format!("`{option}` contains a NUL byte"),
        [b'~', ..] => left_to_a_shell(option, "starts with `~`"),
        [b'$', ..] => left_to_a_shell(option, "starts with `$`"),
        _ if bytes.windows(2).any(|pair| pair == b"${") => left_to_a_shell(option, "contains `${`"),
        _ => return Ok(path),
    };
    Err(Error::new(mistake))
}

/// The checks for a stream that is to be rotated.
pub(crate) fn limit(option: &str, stdio: &Stdio) -> Result<(), Error> {
    match &stdio.limit {
        Some(_) if option == "stdin" => Err(Error::new("`stdin` is only read, and cannot be rotated")),
        Some(_) if stdio.path().is_none() => {
            Err(Error::new(format!("`{option}` has no path, and cannot be rotated: rotate `Stdio::append(path)`")))
        }
        Some(limit) if limit.bytes == 0 => Err(Error::new(format!(
            "`{option}` would be rotated at 0 bytes, which is every line; leave `rotate` out for a log without a limit"
        ))),
        _ => Ok(()),
    }
}

/// The same for a standard stream.
pub(crate) fn stream<'path>(option: &str, stream: &'path Path) -> Result<&'path Path, Error> {
    let stream = path(option, stream)?;
    let mistake = match stream.as_os_str().as_bytes() {
        b"null" => did_you_mean(option, stream, "null"),
        b"inherit" | b"-" => did_you_mean(option, stream, "inherit"),
        bytes if is_of_launcher(bytes) => format!(
            "`{option}` is the path `{}`, which names a stream of the launcher, not a file; did you mean `Stdio::inherit()`?",
            shown(stream)
        ),
        _ => return Ok(stream),
    };
    Err(Error::new(mistake))
}

fn left_to_a_shell(option: &str, what: &str) -> String {
    format!("`{option}` {what}, which only a shell expands; did you mean an absolute path?")
}

/// Whether it is one of the names of an open descriptor, fd(4).
fn is_of_launcher(path: &[u8]) -> bool {
    let is_number = |name: &[u8]| name.iter().all(u8::is_ascii_digit);
    let is_process = |name: &[u8]| is_number(name) || [b"self".as_slice(), b"thread-self"].contains(&name);
    match path.split(|&byte| byte == b'/').collect::<Vec<_>>()[..] {
        [b"", b"dev", b"stdin" | b"stdout" | b"stderr"] => true,
        [b"", b"dev", b"fd", number] => is_number(number),
        [b"", b"proc", process, b"fd", number] => is_process(process) && is_number(number),
        _ => false,
    }
}

fn did_you_mean(option: &str, path: &Path, constructor: &str) -> String {
    let path = shown(path);
    format!("`{option}` is the path `{path}`; did you mean `Stdio::{constructor}()`? a file of that name is `./{path}`")
}

/// Only names: a name has no `=` in it, POSIX XBD 8.1, and would match no variable.
pub(crate) fn keep_env(names: &[OsString]) -> Result<(), Error> {
    for name in names {
        match name.as_bytes() {
            b"" => return Err(Error::new("`keep_env` has an empty name")),
            bytes if bytes.contains(&b'=') => {
                return Err(Error::new(format!("`keep_env` takes names of variables, found `{}`", shown(name))));
            }
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn ready_fd(fd: RawFd) -> Result<RawFd, Error> {
    if fd > libc::STDERR_FILENO {
        return Ok(fd);
    }
    Err(Error::new("`ready_fd` must be 3 or more: 0 to 2 are the standard streams"))
}

pub(crate) fn keep_fds(fds: Vec<RawFd>) -> Result<Vec<RawFd>, Error> {
    for &fd in &fds {
        sys::status_of(fd).map_err(|error| Error::because(format!("cannot keep file descriptor {fd}"), error))?;
    }
    Ok(fds)
}

/// Only permission bits: umask(2) silently ignores others.
pub(crate) fn umask(umask: u32) -> Result<Mode, Error> {
    #[allow(clippy::useless_conversion, reason = "some systems have 16 bits for it")]
    match umask.try_into() {
        Ok(bits) if umask <= 0o777 => Ok(Mode::from_bits_truncate(bits)),
        _ => Err(Error::new(format!("`umask` must be between 0o000 and 0o777, found {umask:#o}"))),
    }
}

/// None if the daemon may take for ever.
pub(crate) fn stop_timeout(daemon: &Daemon) -> Result<Option<Duration>, Error> {
    if daemon.stop_timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Err(Error::new("`stop_timeout` is zero: no daemon could stop in time"));
    }
    Ok(daemon.stop_timeout.filter(|&timeout| timeout != Duration::MAX))
}

pub(crate) fn start_timeout(timeout: Duration) -> Result<Duration, Error> {
    if timeout.is_zero() {
        return Err(Error::new("`start_timeout` is zero: no daemon could be ready in time"));
    }
    Ok(timeout)
}
