//! One of the daemon's standard streams, from its option to its descriptor.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, IntoRawFd, RawFd},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
    unistd::{fchown, geteuid},
};

use super::open::{self, Created, Rights};
use crate::{
    Error, Stdio, inherited::Inherited, null, privileges::Account, start::check, stdio::Kind, sys, terminal::shown,
};

pub(super) enum Stream {
    Inherited,
    Null,
    /// What was created is removed, if it is, while it is still open: its inode number cannot be another file's.
    File {
        created: Option<Created>,
        file: File,
        path: Option<PathBuf>,
        truncate: bool,
    },
}

impl Stream {
    pub(super) fn input(stdio: Stdio, inherited: &Inherited, account: Option<&Account>) -> Result<Self, Error> {
        match stdio.0 {
            Kind::Null => Ok(Self::Null),
            Kind::Inherit => Ok(Self::Inherited),
            Kind::File(file) => Self::from_file("stdin", file),
            Kind::Append(path) => {
                let path = inherited.absolute(check::path("stdin", &path)?)?;
                let (rights, judged) = open::locate(&path, account);
                let file = rights
                    .act(|| open::for_reading(&path, judged))?
                    .map_err(|error| cannot_open("stdin", &path, &rights, error))?;
                Ok(Self::File { file, path: None, truncate: false, created: None })
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
        let truncate = matches!(stdio.0, Kind::Truncate(_));
        match stdio.0 {
            Kind::Null => Ok(Self::Null),
            Kind::Inherit => Ok(Self::Inherited),
            Kind::File(file) => Self::from_file(name, file),
            Kind::Append(path) | Kind::Truncate(path) => {
                let path = inherited.absolute(check::path(name, &path)?)?;
                let (rights, judged) = open::locate(&path, account);
                let owner = account.map_or_else(geteuid, |account| account.uid);
                let (file, created) = rights
                    .act(|| open::for_appending(&path, judged, owner, &rights))?
                    .map_err(|error| cannot_open(name, &path, &rights, error))?;
                if let (Some(account), Some(_)) = (account, &created) {
                    give_away(&file, account).map_err(|error| {
                        let what = format!("cannot give {name} {} to {account}", shown(&path));
                        Error::because(what, error).withhold_all_but(opening(name, &path))
                    })?;
                }
                Ok(Self::File { file, path: Some(path), truncate, created })
            }
        }
    }

    fn from_file(name: &str, file: File) -> Result<Self, Error> {
        let file = above_standard(file).map_err(|error| Error::because(format!("cannot duplicate {name}"), error))?;
        Ok(Self::File { file, path: None, truncate: false, created: None })
    }

    /// The same open file once more, so that two streams on it share one position.
    pub(super) fn duplicate(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Inherited => Self::Inherited,
            Self::Null => Self::Null,
            Self::File { file, path, .. } => {
                Self::File { file: file.try_clone()?, path: path.clone(), truncate: false, created: None }
            }
        })
    }

    /// Whether that descriptor will be open on the null device, which has that number.
    pub(super) fn leads_to(&self, target: RawFd, null: libc::dev_t) -> bool {
        match self {
            Self::Null => true,
            Self::Inherited => null::is_open_on(target, null),
            Self::File { file, .. } => null::is_open_on(file.as_raw_fd(), null),
        }
    }

    pub(super) fn truncate(&self) -> io::Result<()> {
        match self {
            Self::File { file, truncate: true, .. } if file.metadata()?.is_file() => file.set_len(0),
            _ => Ok(()),
        }
    }

    pub(super) fn become_descriptor(self, target: RawFd, null: &File) -> io::Result<Option<Created>> {
        match self {
            Self::Inherited => sys::set_close_on_exec(target, false)?,
            Self::Null => sys::duplicate_onto(null.as_fd(), target)?,
            Self::File { file, created, .. } => {
                sys::duplicate_onto(file.as_fd(), target)?;
                return Ok(created);
            }
        }
        Ok(None)
    }
}

fn cannot_open(name: &str, path: &Path, rights: &Rights, error: io::Error) -> Error {
    let step = opening(name, path);
    match rights {
        Rights::Own => Error::because(step, error),
        // That it is done as the user tells who may write in the directories of the path.
        Rights::User(account) => Error::because(format!("{step} as {account}"), error).withhold_all_but(step),
    }
}

fn opening(name: &str, path: &Path) -> String {
    format!("cannot open {name} {}", shown(path))
}

fn give_away(file: &File, account: &Account) -> io::Result<()> {
    Ok(fchown(file, Some(account.uid), Some(account.gid))?)
}

/// The same file under a number above the standard ones, which stay what they are to the launcher.
fn above_standard(file: File) -> io::Result<File> {
    if file.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(file);
    }
    let number = fcntl(&file, FcntlArg::F_DUPFD_CLOEXEC(libc::STDERR_FILENO + 1))?;
    let _ = file.into_raw_fd();
    Ok(sys::take(number).into())
}
