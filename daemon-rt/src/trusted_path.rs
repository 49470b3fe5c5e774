//! Paths that others may change. A walk from `/` checks each directory, and goes on by its descriptor.
//!
//! A file is then opened in the directory that the walk returned, so it does not help anybody to change the path after
//! the check.

mod entry;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod fuse;

use std::{
    collections::VecDeque,
    ffi::OsStr,
    fs, io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat},
    libc,
    sys::stat::{FileStat, Mode, SFlag, fstat, fstatat},
};

pub(crate) use self::entry::Entry;
use crate::{error::refused, sys, terminal::shown};

/// The same number as Linux, `path_resolution(7)`.
const MAX_LINKS: usize = 40;

/// Including the NUL byte at its end, limits.h(0p).
#[allow(clippy::cast_sign_loss, reason = "a positive constant")]
const MAX_LENGTH: usize = libc::PATH_MAX as usize;

/// A directory that is only used for look-ups, not read or written. If there is `O_PATH`, search permission suffices.
pub(crate) const DIRECTORY: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_CLOEXEC).union(SEARCH);
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const SEARCH: OFlag = OFlag::O_PATH;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const SEARCH: OFlag = OFlag::O_RDONLY;

/// The flags for a file that somebody else may have put there. `O_NOCTTY`: a terminal never becomes the controlling
/// one. `O_NONBLOCK`: a FIFO without a reader is an error, instead of a wait for one.
pub(crate) const FILE: OFlag =
    OFlag::O_NOFOLLOW.union(OFlag::O_NOCTTY).union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC).union(LARGE);

/// Without it, a 32-bit program writes no more than 2 GiB, open(2).
#[cfg(any(target_os = "linux", target_os = "android"))]
const LARGE: OFlag = OFlag::O_LARGEFILE;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const LARGE: OFlag = OFlag::empty();

/// In a sticky directory, nobody can replace somebody else's file, but anybody can create one that is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sticky {
    /// As safe as any directory of the path.
    Safe,
    /// Safe, unless it is the last one.
    SafeAbove,
}

/// Finds a file by an absolute path. It is an error if anybody but root may put another file at that path, or make it
/// lead elsewhere.
pub(crate) fn walk(path: &Path, sticky: Sticky) -> io::Result<Entry> {
    refuse_too_long(path)?;
    let (path, name) = split(path);
    let directory = walk_to_directory(path, sticky).map_err(|error| name_directory(error, path))?;
    Ok(Entry { directory, name: name.to_owned() })
}

/// A walk also handles a longer path, step by step. But a new file is later looked at, and removed, by the path as a
/// whole.
pub(crate) fn refuse_too_long(path: &Path) -> io::Result<()> {
    if path.as_os_str().len() >= MAX_LENGTH { Err(Errno::ENAMETOOLONG.into()) } else { Ok(()) }
}

/// Finds a file as open(2) does, no matter who may change the path.
pub(crate) fn follow(path: &Path) -> io::Result<Entry> {
    let (path, name) = split(path);
    let open = || Ok(openat(AT_FDCWD, path, DIRECTORY, Mode::empty())?);
    let directory = sys::uninterrupted(open).map_err(|error| name_directory(error, path))?;
    Ok(Entry { directory, name: name.to_owned() })
}

/// Finds a directory by an absolute path. It is an error if anybody but root may make the path lead elsewhere, or write
/// in the directory.
///
/// Every step is checked before it is taken: what only root can change stays as it was seen.
pub(crate) fn walk_to_directory(path: &Path, sticky: Sticky) -> io::Result<OwnedFd> {
    let mut left: VecDeque<_> = components(path).map(OsStr::to_owned).collect();
    let mut links = 0;
    let mut at = PathBuf::from("/");
    let mut directory = open_directory_in(None, OsStr::new("/"))?;
    loop {
        let Some(name) = left.pop_front() else {
            return match Writers::of(&directory.status) {
                Writers::Root => Ok(directory.fd),
                Writers::Sticky if sticky == Sticky::Safe => Ok(directory.fd),
                Writers::Sticky | Writers::Others => Err(untrusted_directory(&at)),
            };
        };
        if name == ".." {
            directory = open_directory_in(Some(&directory), &name)?;
            at.pop();
            continue;
        }
        let writers = Writers::of(&directory.status);
        if writers == Writers::Others {
            return Err(untrusted_directory(&at));
        }
        match step(&directory, &name)? {
            Step::Directory(next) if next.is_users_mount(&directory) => {
                return Err(untrusted_directory(&at.join(name)));
            }
            Step::Directory(next) if writers == Writers::Root || next.is_roots_in(&directory) => {
                directory = next;
                at.push(name);
            }
            Step::Link(link) if writers == Writers::Root || link.st_uid == ROOT => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(refused("too many symbolic links lead to it"));
                }
                let target = PathBuf::from(readlinkat(&directory.fd, name.as_os_str())?);
                if target.is_absolute() {
                    directory = open_directory_in(None, OsStr::new("/"))?;
                    at = PathBuf::from("/");
                }
                for component in components(&target).rev() {
                    left.push_front(component.to_owned());
                }
            }
            Step::Directory(next) if next.status.st_uid != ROOT => return Err(untrusted_directory(&at.join(name))),
            Step::Directory(_) => return Err(untrusted_directory(&at)), // others may have mounted it there
            Step::Link(_) => {
                return Err(refused(format!("the symbolic link {} does not belong to root", shown(&at.join(name)))));
            }
        }
    }
}

/// The only user id that is trusted. In a user namespace, everything that belongs to nobody inside has one and the same
/// id, which may also be an ordinary user's, `user_namespaces(7)`.
const ROOT: libc::uid_t = 0;

/// Who may change the entries of a directory.
#[derive(PartialEq, Eq)]
enum Writers {
    Root,
    /// Everybody may add an entry, and change their own.
    Sticky,
    Others,
}

impl Writers {
    fn of(directory: &FileStat) -> Self {
        let has = |bits| directory.st_mode & bits != 0;
        match directory.st_uid {
            ROOT if !has(libc::S_IWGRP | libc::S_IWOTH) => Self::Root,
            ROOT if has(libc::S_ISVTX) => Self::Sticky,
            _ => Self::Others,
        }
    }
}

struct Directory {
    fd: OwnedFd,
    status: FileStat,
}

impl Directory {
    /// For a sticky directory. A file system that is mounted there says itself who owns it, and a user's file system
    /// may lie.
    fn is_roots_in(&self, sticky: &Directory) -> bool {
        self.status.st_uid == ROOT && self.status.st_dev == sticky.status.st_dev
    }

    /// For every directory. A user's file system may claim that root owns it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn is_users_mount(&self, above: &Directory) -> bool {
        self.status.st_dev != above.status.st_dev && fuse::is_users(&self.fd, self.status.st_dev)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    #[allow(clippy::unused_self, reason = "as where it can be told")]
    fn is_users_mount(&self, _: &Directory) -> bool {
        false
    }
}

enum Step {
    Directory(Directory),
    Link(FileStat),
}

fn step(directory: &Directory, name: &OsStr) -> io::Result<Step> {
    open_directory_in(Some(directory), name).map(Step::Directory).or_else(|error| {
        match fstatat(&directory.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(status) if sys::kind_of(&status) == SFlag::S_IFLNK => Ok(Step::Link(status)),
            _ => Err(error),
        }
    })
}

fn open_directory_in(directory: Option<&Directory>, name: &OsStr) -> io::Result<Directory> {
    let flags = DIRECTORY | OFlag::O_NOFOLLOW;
    let fd = sys::uninterrupted(|| match directory {
        Some(directory) => Ok(openat(&directory.fd, name, flags, Mode::empty())?),
        None => Ok(openat(AT_FDCWD, name, flags, Mode::empty())?),
    })?;
    let status = fstat(&fd)?;
    Ok(Directory { fd, status })
}

/// Names the directory of the path at which the look-up failed. If a second look finds no fault, the error stays as it
/// was. Its kind always stays.
fn name_directory(error: io::Error, path: &Path) -> io::Error {
    let directory = path.components().as_path(); // without a slash at the end
    let mut steps: Vec<_> = directory.ancestors().filter(|step| !step.as_os_str().is_empty()).collect();
    steps.reverse();
    let mut above = Path::new(".");
    for step in steps {
        let why = match (error.kind(), fs::metadata(step)) {
            (io::ErrorKind::NotADirectory, Ok(found)) if !found.is_dir() => {
                format!("{} is not a directory", shown(step))
            }
            (io::ErrorKind::NotFound, Err(second)) if second.kind() == error.kind() => {
                format!("there is no directory {}", shown(step))
            }
            (io::ErrorKind::PermissionDenied, Err(second)) if second.kind() == error.kind() => no_search(above),
            (_, Ok(_)) => {
                above = step;
                continue;
            }
            (_, Err(_)) => break,
        };
        return io::Error::new(error.kind(), why);
    }
    error
}

/// The same for a file in the directory. Opening the directory itself does not need permission to search it.
pub(crate) fn name_directory_of(file: &Path, error: io::Error) -> io::Error {
    let (directory, _) = split(file);
    let may_be_searched = || fs::metadata(directory.join(".")).is_ok();
    if error.raw_os_error() != Some(libc::EACCES) || may_be_searched() {
        return error;
    }
    io::Error::new(error.kind(), no_search(directory.components().as_path()))
}

fn no_search(directory: &Path) -> String {
    format!("no permission to search the directory {}", shown(directory))
}

fn untrusted_directory(directory: &Path) -> io::Error {
    refused(format!("users other than root may write in the directory {}", shown(directory)))
}

/// The directory of a path, and the name in it.
pub(crate) fn split(path: &Path) -> (&Path, &OsStr) {
    let bytes = path.as_os_str().as_bytes();
    let start = bytes.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    match bytes.split_at(start) {
        (_, b"" | b"." | b"..") => (path, OsStr::new(".")),
        (b"", name) => (Path::new("."), OsStr::from_bytes(name)),
        (directory, name) => (Path::new(OsStr::from_bytes(directory)), OsStr::from_bytes(name)),
    }
}

fn components(path: &Path) -> impl DoubleEndedIterator<Item = &OsStr> {
    let components = path.as_os_str().as_bytes().split(|&byte| byte == b'/');
    components.filter(|component| !matches!(*component, b"" | b".")).map(OsStr::from_bytes)
}
