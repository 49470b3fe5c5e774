//! Where the daemon is in the file system, and what it leaves to others of the files that it creates there: the root
//! directory, the working directory and the umask, which `CLONE_FS` of clone(2) calls one thing.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

#[cfg(target_os = "linux")]
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::{
    fcntl::{self, AT_FDCWD, AtFlags},
    libc,
    sys::stat::{Mode, SFlag, umask},
    unistd::{AccessFlags, chdir, chroot, faccessat, fchdir},
};

use super::check;
use crate::{
    Daemon, Error, inherited,
    privileges::{self, Account, Privilege, look_as},
    sys,
    terminal::shown,
    trusted_path::{self, Sticky},
    umask::Mask,
};

/// The defaults of a daemon. In the foreground, they are those of whoever started the program.
const UMASK: u32 = 0o027;
const DIRECTORY: &str = "/";

#[derive(Default)]
pub(crate) struct FsContext {
    /// None where it stays what it is.
    umask: Option<Mode>,
    pub(crate) root: Option<PathBuf>,
    /// Inside the root directory. None where the process is there already: to stay takes no permission.
    directory: Option<PathBuf>,
}

impl FsContext {
    /// `account` is who will change to the directory, if that is another.
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
        let root = daemon.inherited.absolute(check::path("chroot", root)?)?;
        check_root(&root)?;
        let inside = directory.map(|directory| Path::new("/").join(directory));
        let directory = inside.filter(|directory| directory != Path::new("/")); // chroot goes there anyway
        if let Some(directory) = &directory {
            check_directory_inside(&root, directory, account)?;
        }
        Ok(Self { umask, root: Some(root), directory })
    }

    /// With the launcher's privileges, and when everything is open that lies outside of the new root directory.
    pub(crate) fn enter(&self) -> Result<(), Error> {
        self.umask.map(umask);
        self.root.as_deref().map_or(Ok(()), change_root)
    }

    /// In the supervisor, which stays outside: it keeps no file system from being unmounted but the daemon's own.
    pub(crate) fn leave_launch_directory(&self) {
        if self.root.is_some() || self.directory.is_some() {
            let _ = chdir(DIRECTORY);
        }
    }

    /// As the user of the daemon: a link of that user's leads no further than that user may go.
    pub(crate) fn change_directory(&self, account: Option<&Account>) -> Result<(), Error> {
        let Some(directory) = &self.directory else { return Ok(()) };
        chdir(directory).map_err(|error| cannot_change_directory(directory, account, error))
    }
}

/// Only a directory has a `.` in it. The default `/` is hardly ever forbidden: there, chdir(2) itself tells.
fn check_directory(path: &Path, account: Option<&Account>) -> Result<(), Error> {
    if path == Path::new("/") {
        return Ok(());
    }
    let look = || Ok(faccessat(AT_FDCWD, &path.join("."), AccessFlags::X_OK, AtFlags::AT_EACCESS)?);
    match look_as(account, look)? {
        // A filter of system calls that is older than faccessat2(2): chdir(2) will tell.
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Ok(()),
        answer => answer.map_err(|error| cannot_change_directory(path, account, error)),
    }
}

/// Whether the path is a directory as seen from inside the root directory. Only openat2(2) follows its links as they lead
/// from there. Where that call is missing or gives no answer, the start itself tells.
#[cfg(target_os = "linux")]
fn check_directory_inside(root: &Path, path: &Path, account: Option<&Account>) -> Result<(), Error> {
    let way = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let root = open_root(root).map_err(|error| Error::because(cannot_change_root(root), error))?;
    let inside = path.join("."); // who may not search a directory finds no `.` in it
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

/// Nobody but root may have the path lead elsewhere, or write in the directory itself: who may put `/lib` and `/etc`
/// there decides what a set-user-ID program does inside, or a daemon that stays root. As `ChrootDirectory` of
/// `sshd_config(5)`.
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

/// chroot(2) confines names, and nothing that is open already: one `fchdir` to an open directory and one `..` is the way
/// out, for whoever runs inside.
fn refuse_open_directories() -> Result<(), Error> {
    for fd in sys::STANDARD_STREAMS.into_iter().chain(inherited::open_descriptors()) {
        let may_lead_out = match sys::status_of(fd) {
            Ok(status) => sys::kind_of(&status) == SFlag::S_IFDIR,
            Err(error) => error.raw_os_error() != Some(libc::EBADF), // it is open, and its file system does not tell
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

fn cannot_change_directory(path: &Path, account: Option<&Account>, why: impl Into<io::Error>) -> Error {
    let what = format!("cannot change directory to {}", shown(path));
    Error::because(account.map_or(what.clone(), |account| format!("{what} as {account}")), why)
}
