//! The root directory changed: chroot(2) confines names, and nothing that is open already.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

#[cfg(target_os = "linux")]
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::{
    fcntl, libc,
    sys::stat::{Mode, SFlag},
    unistd::{chdir, chroot, fchdir},
};

#[cfg(target_os = "linux")]
use super::place::cannot_change_directory;
use crate::{
    Error, inherited,
    privileges::{self, Account, Privilege},
    sys,
    terminal::shown,
    trusted_path::{self, Sticky},
};

/// Whether the root directory can be changed to that one.
pub(super) fn check(root: &Path) -> Result<(), Error> {
    privileges::demand(Privilege::ChangeRoot, &cannot_enter(root))?;
    open(root).map(drop).map_err(|error| Error::because(cannot_enter(root), error))
}

/// Nobody but root may have the path lead elsewhere, or write in the directory itself: who may put `/lib` and `/etc`
/// there decides what a set-user-ID program does inside, or a daemon that stays root. As `ChrootDirectory` of
/// `sshd_config(5)`.
fn open(root: &Path) -> io::Result<OwnedFd> {
    if privileges::root_is_ordinary_user() {
        return Ok(fcntl::open(root, trusted_path::DIRECTORY, Mode::empty())?);
    }
    trusted_path::walk_to_directory(root, Sticky::SafeAbove)
}

/// Whether that is a directory from inside. Links in the path lead where they will from there, openat2(2); without that
/// call, or an answer of it, the start itself tells.
#[cfg(target_os = "linux")]
pub(super) fn check_directory(root: &Path, path: &Path, account: Option<&Account>) -> Result<(), Error> {
    let way = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let root = open(root).map_err(|error| Error::because(cannot_enter(root), error))?;
    let inside = path.join("."); // who may not search a directory finds no `.` in it
    match privileges::look_as(account, || Ok(openat2(&root, &inside, way).map(drop)?))? {
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOSYS | libc::EPERM | libc::EINTR | libc::EAGAIN) => Ok(()),
            _ => Err(cannot_change_directory(path, account, error)),
        },
        Ok(()) => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "as where it can be told")]
pub(super) fn check_directory(_: &Path, _: &Path, _: Option<&Account>) -> Result<(), Error> {
    Ok(())
}

/// One `fchdir` to an open directory and one `..` is the way out, for whoever runs in there.
pub(crate) fn enter(root: &Path) -> Result<(), Error> {
    refuse_open_directories()?;
    change_to(root).map_err(|error| Error::because(cannot_enter(root), error))
}

fn change_to(root: &Path) -> io::Result<()> {
    let root = open(root)?;
    Ok(fchdir(root).and_then(|()| chroot(".")).and_then(|()| chdir("/"))?)
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
            let cannot = "cannot change the root directory";
            let why = format!("file descriptor {number}, {}, would lead out of it", shown(&path));
            return Err(Error::new(format!("{cannot}: {why}")).withhold_all_but(cannot));
        }
    }
    Ok(())
}

fn cannot_enter(root: &Path) -> String {
    format!("cannot change the root directory to {}", shown(root))
}
