//! A new root directory for the daemon, chroot(2).

use std::{
    fmt, fs, io,
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
use super::filesystem::cannot_change_directory;
#[cfg(target_os = "linux")]
use crate::privileges::look_as;
use crate::{
    Error, inherited,
    privileges::{self, Account, Privilege},
    sys,
    terminal::shown,
    trusted_path::{self, Sticky},
};

/// The option `chroot`.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    changes: &'static dyn Changes,
}

/// All code of the option. Only its setter refers to it, so the linker leaves it out of a program that does not set the
/// option.
trait Changes: fmt::Debug + Sync {
    fn check(&self, root: &Path) -> Result<(), Error>;
    fn check_directory(&self, root: &Path, inside: &Path, account: Option<&Account>) -> Result<(), Error>;
    fn enter(&self, root: &Path) -> Result<(), Error>;
}

#[derive(Debug)]
struct ChangeRoot;

impl Changes for ChangeRoot {
    fn check(&self, root: &Path) -> Result<(), Error> {
        check_root(root)
    }

    fn check_directory(&self, root: &Path, inside: &Path, account: Option<&Account>) -> Result<(), Error> {
        check_directory_inside(root, inside, account)
    }

    fn enter(&self, root: &Path) -> Result<(), Error> {
        change_root(root)
    }
}

impl Root {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, changes: &ChangeRoot }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The same, with an absolute path.
    pub(super) fn at(&self, path: PathBuf) -> Self {
        Self { path, ..*self }
    }

    /// In the launcher.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.changes.check(&self.path)
    }

    /// Whether the daemon, as that user, can change to a directory inside.
    pub(super) fn check_directory(&self, inside: &Path, account: Option<&Account>) -> Result<(), Error> {
        self.changes.check_directory(&self.path, inside, account)
    }

    /// In the daemon.
    pub(super) fn enter(&self) -> Result<(), Error> {
        self.changes.enter(&self.path)
    }
}

/// Whether the path is a directory as seen from inside the root directory. Only openat2(2) follows links as they lead
/// from there. If that call is missing or fails otherwise, the start itself will show.
#[cfg(target_os = "linux")]
fn check_directory_inside(root: &Path, path: &Path, account: Option<&Account>) -> Result<(), Error> {
    let way = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let root = open_root(root).map_err(|error| Error::because(cannot_change_root(root), error))?;
    let inside = path.join("."); // without permission to search a directory, there is no `.` in it
    match look_as(account, || Ok(openat2(&root, &inside, way).map(drop)?))? {
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOSYS | libc::EPERM | libc::EINTR | libc::EAGAIN) => Ok(()),
            _ => Err(cannot_change_directory(path, account, error)),
        },
        Ok(()) => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "as where it can be told")]
fn check_directory_inside(_: &Path, _: &Path, _: Option<&Account>) -> Result<(), Error> {
    Ok(())
}

/// Whether the root directory can be changed to that one.
fn check_root(root: &Path) -> Result<(), Error> {
    privileges::demand(Privilege::ChangeRoot, &cannot_change_root(root))?;
    open_root(root).map(drop).map_err(|error| Error::because(cannot_change_root(root), error))
}

/// Only root may redirect the path, or write in the directory itself: whoever can put `/lib` and `/etc` there decides
/// what a set-user-ID program does inside, or a daemon that stays root. `ChrootDirectory` of `sshd_config(5)` has the
/// same rule.
fn open_root(root: &Path) -> io::Result<OwnedFd> {
    if privileges::root_is_ordinary_user() {
        return Ok(fcntl::open(root, trusted_path::DIRECTORY, Mode::empty())?);
    }
    trusted_path::walk_to_directory(root, Sticky::SafeAbove)
}

fn change_root(root: &Path) -> Result<(), Error> {
    refuse_open_directories()?;
    let change = || {
        let root = open_root(root)?;
        Ok(fchdir(root).and_then(|()| chroot(".")).and_then(|()| chdir("/"))?)
    };
    change().map_err(|error: io::Error| Error::because(cannot_change_root(root), error))
}

/// chroot(2) restricts names, but nothing that is open already. With a directory that is open, `fchdir` and `..` lead
/// out.
fn refuse_open_directories() -> Result<(), Error> {
    for fd in sys::STANDARD_STREAMS.into_iter().chain(inherited::open_descriptors()) {
        let may_lead_out = match sys::status_of(fd) {
            Ok(status) => sys::kind_of(&status) == SFlag::S_IFDIR,
            Err(error) => error.raw_os_error() != Some(libc::EBADF), // it is open, but its kind is unknown
        };
        if may_lead_out {
            let path = fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_else(|_| PathBuf::from("a directory"));
            let cannot = "cannot change the root directory";
            let why = format!("file descriptor {fd}, {}, would lead out of it", shown(&path));
            return Err(Error::new(format!("{cannot}: {why}")).withhold_all_but(cannot));
        }
    }
    Ok(())
}

fn cannot_change_root(root: &Path) -> String {
    format!("cannot change the root directory to {}", shown(root))
}
