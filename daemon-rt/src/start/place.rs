//! Where the daemon is in the file system, and what it leaves to others of the files that it creates there.

use std::{
    io,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags},
    sys::stat::{Mode, umask},
    unistd::{AccessFlags, chdir, faccessat},
};

use super::{check, jail};
use crate::{Daemon, Error, terminal::shown};

pub(crate) struct Place {
    umask: Mode,
    pub(crate) root: Option<PathBuf>,
    /// Inside of that.
    directory: PathBuf,
}

impl Place {
    pub(crate) fn new(daemon: &Daemon) -> Result<Self, Error> {
        let umask = check::umask(daemon.umask)?;
        let directory = check::path("chdir", &daemon.chdir)?;
        let Some(root) = &daemon.chroot else {
            let directory = daemon.inherited.absolute(directory)?;
            check_directory(&directory)?;
            return Ok(Self { umask, root: None, directory });
        };
        let root = daemon.inherited.absolute(check::path("chroot", root)?)?;
        jail::check(&root)?;
        let directory = Path::new("/").join(directory);
        jail::check_directory(&root, &directory)?;
        Ok(Self { umask, root: Some(root), directory })
    }

    /// Everything that is to be open must be open.
    pub(crate) fn enter(&self) -> Result<(), Error> {
        umask(self.umask);
        if let Some(root) = &self.root {
            jail::enter(root)?;
        }
        chdir(&self.directory).map_err(|error| cannot_change_directory(&self.directory, error))
    }
}

/// Only a directory has a `.` in it.
fn check_directory(path: &Path) -> Result<(), Error> {
    match faccessat(AT_FDCWD, &path.join("."), AccessFlags::X_OK, AtFlags::AT_EACCESS) {
        Err(Errno::EPERM) => Ok(()), // a filter of system calls that is older than faccessat2(2): chdir(2) will tell
        answer => answer.map_err(|error| cannot_change_directory(path, error)),
    }
}

pub(super) fn cannot_change_directory(path: &Path, why: impl Into<io::Error>) -> Error {
    Error::because(format!("cannot change directory to {}", shown(path)), why)
}
