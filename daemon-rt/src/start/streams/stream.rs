//! One of the daemon's standard streams, from its option to its descriptor.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, IntoRawFd, RawFd},
};

use nix::libc;

use super::{by_path::Log, file::Created, reopening::Candidate};
use crate::{
    Error, Stdio,
    inherited::Inherited,
    null,
    privileges::Account,
    start::check,
    stdio::Kind,
    sys::{self, StandardStream},
};

pub(super) enum Stream {
    Inherited,
    Null,
    File(File),
    /// An output that was given by a path.
    Log(Log),
}

impl Stream {
    pub(super) fn input(stdio: Stdio, inherited: &Inherited, account: Option<&Account>) -> Result<Self, Error> {
        check::limit("stdin", &stdio)?;
        match stdio.kind {
            Kind::Null => Ok(Self::Null),
            Kind::Inherit => Ok(Self::Inherited),
            Kind::File(file) => Self::from_file("stdin", file),
            Kind::Path(file) => file.opening.input(&file, inherited, account).map(Self::File),
        }
    }

    pub(super) fn output(
        name: &str,
        stdio: Stdio,
        inherited: &Inherited,
        account: Option<&Account>,
    ) -> Result<Self, Error> {
        check::limit(name, &stdio)?;
        let limit = stdio.limit;
        match stdio.kind {
            Kind::Null => Ok(Self::Null),
            Kind::Inherit => Ok(Self::Inherited),
            Kind::File(file) => Self::from_file(name, file),
            Kind::Path(file) => {
                let mut log = file.opening.output(name, &file, inherited, account)?;
                log.limit = limit;
                Ok(Self::Log(log))
            }
        }
    }

    fn from_file(name: &str, file: File) -> Result<Self, Error> {
        let file = above_standard(file).map_err(|error| Error::because(format!("cannot duplicate {name}"), error))?;
        Ok(Self::File(file))
    }

    /// Duplicates the open file, so that two streams on it share one position.
    pub(super) fn duplicate(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Inherited => Self::Inherited,
            Self::Null => Self::Null,
            Self::File(file) => Self::File(file.try_clone()?),
            Self::Log(log) => Self::Log(log.duplicate()?),
        })
    }

    /// The stream, if it was given by a path.
    pub(super) fn candidate(&self, name: &'static str, streams: &'static [StandardStream]) -> Option<Candidate<'_>> {
        match self {
            Self::Log(Log { file, path, created, limit, .. }) => {
                Some(Candidate { name, streams, path, file, is_new: created.is_some(), limit: *limit })
            }
            _ => None,
        }
    }

    /// Whether the target will be open on the null device.
    pub(super) fn leads_to(&self, target: RawFd, null: libc::dev_t) -> bool {
        match self {
            Self::Null => true,
            Self::Inherited => null::is_open_on(target, null),
            Self::File(file) | Self::Log(Log { file, .. }) => null::is_open_on(file.as_raw_fd(), null),
        }
    }

    pub(super) fn redirect(self, target: StandardStream, null: &File) -> io::Result<Option<Created>> {
        match self {
            Self::Inherited => sys::set_close_on_exec(target.as_raw_fd(), false)?,
            Self::Null => sys::redirect(target, null.as_fd())?,
            Self::File(file) => sys::redirect(target, file.as_fd())?,
            Self::Log(Log { file, created, .. }) => {
                sys::redirect(target, file.as_fd())?;
                return Ok(created);
            }
        }
        Ok(None)
    }
}

/// Duplicates the descriptor to one above the standard ones, which stay as they are in the launcher.
fn above_standard(file: File) -> io::Result<File> {
    if file.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(file);
    }
    let above = file.try_clone()?; // never below 3
    let _ = file.into_raw_fd();
    Ok(above)
}
