//! The root directory, the working directory and the umask. `CLONE_FS` of clone(2) groups them, too.

use std::{
    io,
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{AT_FDCWD, AtFlags},
    libc,
    sys::stat::{Mode, umask},
    unistd::{AccessFlags, chdir, faccessat},
};

use super::{check, root::Root};
use crate::{
    Daemon, Error,
    privileges::{Account, look_as},
    terminal::shown,
    umask::Mask,
};

/// The defaults after a detach. In the foreground, the launcher's values stay.
const UMASK: u32 = 0o027;
const DIRECTORY: &str = "/";

#[derive(Default)]
pub(crate) struct FsContext {
    /// None if it stays as it is.
    umask: Option<Mode>,
    pub(crate) root: Option<Root>,
    /// Inside the root directory. None if the process is already there, because staying needs no permission.
    directory: Option<PathBuf>,
}

impl FsContext {
    /// `account` is the user who will change to the directory, if that is a different one.
    pub(crate) fn new(daemon: &Daemon, account: Option<&Account>) -> Result<Self, Error> {
        let umask = match daemon.umask {
            Mask::Number(umask) => Some(check::umask(umask)?),
            Mask::Default if daemon.detaches() => Some(check::umask(UMASK)?),
            Mask::Default | Mask::OfLauncher => None,
        };
        let directory = daemon.chdir.as_deref().or(daemon.detaches().then_some(Path::new(DIRECTORY)));
        let directory = directory.map(|directory| check::path("chdir", directory)).transpose()?;
        let Some(root) = &daemon.chroot else {
            let another = directory.filter(|directory| !daemon.inherited.is_current(directory));
            let directory = another.map(|directory| daemon.inherited.absolute(directory)).transpose()?;
            directory.as_deref().map_or(Ok(()), |directory| check_directory(directory, account))?;
            return Ok(Self { umask, root: None, directory });
        };
        let root = root.at(daemon.inherited.absolute(check::path("chroot", root.path())?)?);
        root.check()?;
        let inside = directory.map(|directory| Path::new("/").join(directory));
        let directory = inside.filter(|directory| directory != Path::new("/")); // chroot goes there anyway
        if let Some(directory) = &directory {
            root.check_directory(directory, account)?;
        }
        Ok(Self { umask, root: Some(root), directory })
    }

    /// With the launcher's privileges, after everything outside the new root directory has been opened.
    pub(crate) fn enter(&self) -> Result<(), Error> {
        self.umask.map(umask);
        self.root.as_ref().map_or(Ok(()), Root::enter)
    }

    /// In the supervisor, which stays outside: it must not keep any other file system from being unmounted than the
    /// daemon does.
    pub(crate) fn leave_launch_directory(&self) {
        if self.root.is_some() || self.directory.is_some() {
            let _ = chdir(DIRECTORY);
        }
    }

    /// As the daemon's user: a link of that user leads no further than the user may go.
    pub(crate) fn change_directory(&self, account: Option<&Account>) -> Result<(), Error> {
        let Some(directory) = &self.directory else { return Ok(()) };
        chdir(directory).map_err(|error| cannot_change_directory(directory, account, error))
    }
}

/// Only a directory contains a `.`. The default `/` is hardly ever forbidden, so chdir(2) itself will show.
fn check_directory(path: &Path, account: Option<&Account>) -> Result<(), Error> {
    if path == Path::new("/") {
        return Ok(());
    }
    let look = || Ok(faccessat(AT_FDCWD, &path.join("."), AccessFlags::X_OK, AtFlags::AT_EACCESS)?);
    match look_as(account, look)? {
        // A filter of system calls that does not know faccessat2(2): chdir(2) will show.
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Ok(()),
        answer => answer.map_err(|error| cannot_change_directory(path, account, error)),
    }
}

pub(super) fn cannot_change_directory(path: &Path, account: Option<&Account>, why: impl Into<io::Error>) -> Error {
    let what = format!("cannot change directory to {}", shown(path));
    Error::because(account.map_or(what.clone(), |account| format!("{what} as {account}")), why)
}
