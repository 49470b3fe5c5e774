//! The root directory changed: chroot(2) confines names, and nothing that is open already.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::{
    libc,
    sys::stat::SFlag,
    unistd::{chdir, chroot},
};

use super::inherited;
use crate::{Error, sys};

/// One `fchdir` to an open directory and one `..` is the way out, for whoever runs in there.
pub(crate) fn enter(root: &Path) -> Result<(), Error> {
    refuse_open_directories()?;
    let cannot =
        |error: nix::Error| Error::because(format!("cannot change the root directory to {}", root.display()), error);
    chroot(root).map_err(cannot)?;
    chdir("/").map_err(cannot)
}

fn refuse_open_directories() -> Result<(), Error> {
    for number in (libc::STDIN_FILENO..=libc::STDERR_FILENO).chain(inherited::open_descriptors()) {
        let Ok(status) = sys::status_of(number) else { continue };
        if status.st_mode & libc::S_IFMT == SFlag::S_IFDIR.bits() {
            let path =
                fs::read_link(format!("/proc/self/fd/{number}")).unwrap_or_else(|_| PathBuf::from("a directory"));
            return Err(Error::new(format!(
                "cannot change the root directory: file descriptor {number}, {}, would lead out of it",
                path.display()
            )));
        }
    }
    Ok(())
}
