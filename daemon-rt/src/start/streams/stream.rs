//! One of the daemon's standard streams, from its option to its descriptor.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, IntoRawFd, RawFd},
    path::{Path, PathBuf},
};

use nix::{
    libc,
    sys::stat::fstat,
    unistd::{fchown, geteuid},
};

use super::{
    file::{self, Created, Rights},
    reopening::Candidate,
};
use crate::{
    Error, Stdio,
    inherited::Inherited,
    null,
    privileges::{Account, Found},
    start::check,
    stdio::{Kind, Limit},
    sys::{self, StandardStream},
    terminal::shown,
};

pub(super) enum Stream {
    Inherited,
    Null,
    /// Where a file that was created is removed again, that happens while it is open: no other file has its inode number.
    File {
        created: Option<Created>,
        file: File,
        path: Option<PathBuf>,
        /// By whose rights the file is truncated, with `Stdio::truncate`.
        truncate: Option<Rights>,
        limit: Option<Limit>,
    },
}

impl Stream {
    pub(super) fn input(stdio: Stdio, inherited: &Inherited, account: Option<&Account>) -> Result<Self, Error> {
        check::limit("stdin", &stdio)?;
        match stdio.kind {
            Kind::Null => Ok(Self::Null),
            Kind::Inherit => Ok(Self::Inherited),
            Kind::File(file) => Self::from_file("stdin", file),
            Kind::Append(path) => {
                let path = inherited.absolute(check::path("stdin", &path)?)?;
                let (rights, found) = file::open(&path, account, |judged| file::for_reading(&path, judged))?;
                let (file, _) = opened("stdin", &path, &rights, found)?;
                Ok(Self::File { file, path: None, truncate: None, limit: None, created: None })
            }
            Kind::Truncate(_) => Err(Error::new(
                "`stdin` is read from, and cannot be truncated: give it the path, without `Stdio::truncate`",
            )),
        }
    }

    pub(super) fn output(
        name: &str,
        stdio: Stdio,
        inherited: &Inherited,
        account: Option<&Account>,
    ) -> Result<Self, Error> {
        check::limit(name, &stdio)?;
        let (truncate, limit) = (matches!(stdio.kind, Kind::Truncate(_)), stdio.limit);
        match stdio.kind {
            Kind::Null => Ok(Self::Null),
            Kind::Inherit => Ok(Self::Inherited),
            Kind::File(file) => Self::from_file(name, file),
            Kind::Append(path) | Kind::Truncate(path) => {
                let path = inherited.absolute(check::path(name, &path)?)?;
                let owner = account.map_or_else(geteuid, |account| account.uid);
                let open = |judged| file::for_appending(&path, judged, owner);
                let (rights, found) = file::open(&path, account, open)?;
                let (file, created) = opened(name, &path, &rights, found)?;
                if let (Some(account), Rights::Own, Some(_)) = (account, &rights, &created) {
                    give_away(&file, account).map_err(|error| {
                        let what = format!("cannot give {name} {} to {account}", shown(&path));
                        Error::because(what, error).withhold_all_but(opening(name, &path))
                    })?;
                }
                Ok(Self::File { file, path: Some(path), truncate: truncate.then_some(rights), limit, created })
            }
        }
    }

    fn from_file(name: &str, file: File) -> Result<Self, Error> {
        let file = above_standard(file).map_err(|error| Error::because(format!("cannot duplicate {name}"), error))?;
        Ok(Self::File { file, path: None, truncate: None, limit: None, created: None })
    }

    /// The same open file once more, so that two streams on it share one position.
    pub(super) fn duplicate(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Inherited => Self::Inherited,
            Self::Null => Self::Null,
            Self::File { file, path, .. } => {
                Self::File { file: file.try_clone()?, path: path.clone(), truncate: None, limit: None, created: None }
            }
        })
    }

    /// What was given by a path.
    pub(super) fn candidate(&self, name: &'static str, streams: &'static [StandardStream]) -> Option<Candidate<'_>> {
        match self {
            Self::File { file, path: Some(path), created, limit, .. } => {
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
            Self::File { file, .. } => null::is_open_on(file.as_raw_fd(), null),
        }
    }

    pub(super) fn truncate(&self) -> Result<io::Result<()>, Error> {
        let Self::File { file, truncate: Some(rights), .. } = self else { return Ok(Ok(())) };
        let mut empty = || {
            if file.metadata()?.is_file() {
                file.set_len(0)?;
            }
            Ok(Found::default())
        };
        Ok(rights.act(&mut empty)?.map(drop))
    }

    pub(super) fn redirect(self, target: StandardStream, null: &File) -> io::Result<Option<Created>> {
        match self {
            Self::Inherited => sys::set_close_on_exec(target.as_raw_fd(), false)?,
            Self::Null => sys::redirect(target, null.as_fd())?,
            Self::File { file, created, .. } => {
                sys::redirect(target, file.as_fd())?;
                return Ok(created);
            }
        }
        Ok(None)
    }
}

fn opened(
    name: &str,
    path: &Path,
    rights: &Rights,
    found: io::Result<Found>,
) -> Result<(File, Option<Created>), Error> {
    let found = found.and_then(|Found { file, created }| Ok((file.ok_or(io::ErrorKind::NotFound)?, created)));
    let (file, created) = found.map_err(|error| cannot_open(name, path, rights, error))?;
    Ok((file.into(), created.map(|file_id| Created::new(path, file_id, rights))))
}

fn cannot_open(name: &str, path: &Path, rights: &Rights, error: io::Error) -> Error {
    let step = opening(name, path);
    match rights {
        Rights::Own => Error::because(step, error),
        // "as user" would tell a caller who may write in the directories of the path.
        Rights::User(account) | Rights::UserAlone(account) => {
            Error::because(format!("{step} as {account}"), error).withhold_all_but(step)
        }
    }
}

fn opening(name: &str, path: &Path) -> String {
    format!("cannot open {name} {}", shown(path))
}

/// An owner that the file has already is not set: that would take a privilege all the same.
fn give_away(file: &File, account: &Account) -> io::Result<()> {
    let status = fstat(file)?;
    let uid = Some(account.uid).filter(|uid| uid.as_raw() != status.st_uid);
    let gid = Some(account.gid).filter(|gid| gid.as_raw() != status.st_gid);
    if uid.is_some() || gid.is_some() {
        fchown(file, uid, gid)?;
    }
    Ok(())
}

/// The same open file by a descriptor above the standard ones, which stay what they are in the launcher.
fn above_standard(file: File) -> io::Result<File> {
    if file.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(file);
    }
    let above = file.try_clone()?; // never below 3
    let _ = file.into_raw_fd();
    Ok(above)
}
