//! Where the daemon is in the file system, and what it leaves to others of the files that it creates there.

use std::path::{Path, PathBuf};

use nix::{
    sys::stat::{Mode, umask},
    unistd::chdir,
};

use super::{check, jail};
use crate::{
    Daemon, Error,
    privileges::{self, Privilege},
};

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
            check::directory(&directory)?;
            return Ok(Self { umask, root: None, directory });
        };
        let root = daemon.inherited.absolute(check::path("chroot", root)?)?;
        privileges::demand(Privilege::ChangeRoot, &format!("cannot change the root directory to {}", root.display()))?;
        check::root(&root)?;
        let directory = Path::new("/").join(directory);
        check::directory_inside(&root, &directory)?;
        Ok(Self { umask, root: Some(root), directory })
    }

    /// Everything that is to be open must be open.
    pub(crate) fn enter(&self) -> Result<(), Error> {
        umask(self.umask);
        if let Some(root) = &self.root {
            jail::enter(root)?;
        }
        let directory = self.directory.display();
        chdir(&self.directory).map_err(|error| Error::because(format!("cannot change directory to {directory}"), error))
    }
}
