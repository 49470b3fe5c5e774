//! Causes that the system's words would hide.

use std::{fs, io, path::Path};

use crate::terminal::shown;

/// A file that is not taken, for a reason that no system call gives.
pub(crate) fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why.into())
}

/// `O_NOFOLLOW` makes a symbolic link ELOOP, EMLINK or EFTYPE, open(2): say what it is, and what to name instead.
pub(crate) fn name_target_of_link(error: io::Error, path: &Path) -> io::Error {
    match fs::read_link(path) {
        Ok(target) => {
            let target = fs::canonicalize(path).unwrap_or_else(|_| path.with_file_name(target));
            refused(format!("it is a symbolic link; name its target, {}", shown(&target)))
        }
        Err(_) => error,
    }
}
