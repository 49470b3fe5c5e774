//! The one error type: what could not be done, and why. And causes that say more than the system's words.

#[cfg(test)]
mod tests;

use std::{borrow::Cow, error, fmt, fs, io, path::Path};

use crate::terminal::shown;

/// Why a start, or a call that belongs to one, failed.
///
/// Displayed plainly, it names the step and its object: `cannot open stdout /var/log/clockd.log`. Displayed with
/// `{:#}`, it adds the cause, which is also its [`source`](error::Error::source): `… : Permission denied (os error
/// 13)`. Texts start in lower case and end without a period, so that they can stand behind a program's name. `{:?}`, by
/// which Rust prints the error that `main` returns, shows the same as `{:#}`.
pub struct Error {
    what: Cow<'static, str>,
    why: Option<io::Error>,
    /// Step and object alone, where `what` says more.
    step: Option<Cow<'static, str>>,
}

impl Error {
    /// A mistake that has no cause outside, such as an option out of range.
    pub(crate) fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self { what: what.into(), why: None, step: None }
    }

    /// A step that the system refused.
    pub(crate) fn because(what: impl Into<Cow<'static, str>>, why: impl Into<io::Error>) -> Self {
        Self { what: what.into(), why: Some(why.into()), step: None }
    }

    /// Of what it says, everything but step and object tells what was found in the file system.
    pub(crate) fn withhold_all_but(mut self, step: impl Into<Cow<'static, str>>) -> Self {
        self.step = Some(step.into());
        self
    }

    /// The step and its object, without what was found in the file system: for a reader who may not look there. None
    /// where nothing was.
    pub(crate) fn without_cause(&self) -> Option<&str> {
        match (&self.step, &self.why) {
            (Some(step), _) => Some(step),
            (None, Some(_)) => Some(&self.what),
            (None, None) => None,
        }
    }

    /// The system's number of the cause, errno(3).
    pub(crate) fn errno(&self) -> Option<i32> {
        self.why.as_ref()?.raw_os_error()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)?;
        match &self.why {
            Some(why) if formatter.alternate() => write!(formatter, ": {why}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:#}")
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.why.as_ref().map(|why| why as _)
    }
}

impl From<Error> for io::Error {
    /// Keeps the kind of the cause, and the error itself as its payload.
    fn from(error: Error) -> Self {
        let kind = error.why.as_ref().map_or(io::ErrorKind::Other, io::Error::kind);
        Self::new(kind, error)
    }
}

/// A cause that no system call gives: a file is not taken, for this reason.
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
