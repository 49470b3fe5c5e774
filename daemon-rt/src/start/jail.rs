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

use crate::{Error, inherited, sys};

/// One `fchdir` to an open directory and one `..` is the way out, for whoever runs in there.
pub(crate) fn enter(root: &Path) -> Result<(), Error> {
    refuse_open_directories()?;
    let cannot =
        |error: nix::Error| Error::because(format!("cannot change the root directory to {}", root.display()), error);
    chroot(root).map_err(cannot)?;
    chdir("/").map_err(cannot)
}

fn refuse_open_directories() -> Result<(), Error> {
    for number in sys::STANDARD_STREAMS.into_iter().chain(inherited::open_descriptors()) {
        let may_lead_out = match sys::status_of(number) {
            Ok(status) => sys::kind_of(&status) == SFlag::S_IFDIR,
            Err(error) => error.raw_os_error() != Some(libc::EBADF), // it is open on something that does not tell
        };
        if may_lead_out {
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
