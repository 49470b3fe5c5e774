//! Opens a log by rules that are safe even if others may write in its directory.
//!
//! The launcher calls it, and later a signal handler does: so everything in here is on the list of signal-safety(7),
//! and nothing allocates or locks.

use std::{
    ffi::{CStr, CString, NulError},
    fmt, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl, open, openat},
    libc,
    sys::stat::{FileStat, Mode, SFlag, fchmod, fstat},
    unistd::{Uid, UnlinkatFlags, unlinkat},
};

use crate::{error::refused, sys, trusted_path};

/// The flags to open a log.
const APPEND: OFlag = trusted_path::FILE.union(OFlag::O_WRONLY).union(OFlag::O_APPEND);

/// The owner may write a log, and the group may read it.
pub(crate) const MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR).union(Mode::S_IRGRP);

/// After so many attempts it gives up on a file that keeps vanishing.
const ATTEMPTS: usize = 100;

pub(crate) struct Opened {
    pub(crate) file: OwnedFd,
    pub(crate) status: FileStat,
    /// Whether the file was missing, and was created.
    pub(crate) is_new: bool,
}

/// Why a log was not opened.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refusal {
    System(Errno),
    /// Others may have put it there to read what the daemon writes.
    AnothersFile,
    /// Others may have put it there to make the daemon write to a different file.
    SecondLink,
    /// The link leads to another user's file. A link to the daemon's own file would gain an attacker nothing.
    SecondLinkToAnothersFile,
    /// A file with the number of a rotation.
    NotAFile,
}

/// Where a log is, in two parts: a signal handler may not allocate to split a path.
pub(crate) struct Location {
    directory: CString,
    name: CString,
}

impl Location {
    pub(crate) fn of(path: &Path) -> Result<Self, NulError> {
        let (directory, name) = trusted_path::split(path);
        Ok(Self { directory: CString::new(directory.as_os_str().as_bytes())?, name: CString::new(name.as_bytes())? })
    }

    /// Opens the file for appending. Creates it for `owner` if it is missing.
    pub(crate) fn open(&self, owner: Uid) -> Result<Opened, Refusal> {
        for_appending(self.open_directory()?.as_fd(), &self.name, owner, MODE)
    }

    /// The descriptor is not kept, because it would be a way out of a jail.
    pub(super) fn open_directory(&self) -> nix::Result<OwnedFd> {
        open(self.directory.as_c_str(), trusted_path::DIRECTORY, Mode::empty())
    }

    pub(crate) fn name(&self) -> &CString {
        &self.name
    }
}

/// Opens a file in that directory for appending. Creates it for `owner` if it is missing.
pub(crate) fn for_appending(directory: BorrowedFd<'_>, name: &CStr, owner: Uid, mode: Mode) -> Result<Opened, Refusal> {
    let mut seen = Errno::ENOENT;
    for _ in 0..ATTEMPTS {
        seen = match open_existing(directory, name, owner) {
            Err(Refusal::System(Errno::ENOENT)) => match create(directory, name, mode) {
                Err(errno @ (Errno::EEXIST | Errno::EINTR)) => errno, // somebody was quicker, or a signal came
                created => return Ok(created?),
            },
            Err(Refusal::System(Errno::EINTR)) => Errno::EINTR,
            opened => return opened,
        };
    }
    Err(seen.into())
}

/// Removes `O_NONBLOCK`, which was meant only for the open.
pub(crate) fn let_block(file: BorrowedFd<'_>) -> nix::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    fcntl(file, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    Ok(())
}

pub(super) fn open_existing(directory: BorrowedFd<'_>, name: &CStr, owner: Uid) -> Result<Opened, Refusal> {
    let file = openat(directory, name, APPEND, Mode::empty())?;
    let status = fstat(&file)?;
    judge(&file, &status, &fstat(directory)?, owner)?;
    let_block(file.as_fd())?;
    Ok(Opened { file, status, is_new: false })
}

/// The rules of `fs.protected_regular`, `fs.protected_fifos` and `fs.protected_hardlinks`, proc(5), which may be turned
/// off.
fn judge(opened: &OwnedFd, file: &FileStat, directory: &FileStat, owner: Uid) -> Result<(), Refusal> {
    if ![SFlag::S_IFREG, SFlag::S_IFIFO].contains(&sys::kind_of(file)) {
        return Ok(()); // only root can create a device
    }
    let is_roots = |uid| Uid::from_raw(uid).is_root();
    let is_trusted = |uid| uid == owner.as_raw() || is_roots(uid);
    let is_open = directory.st_mode & (libc::S_IWGRP | libc::S_IWOTH) != 0;
    let others_may_write = is_open || !is_trusted(directory.st_uid);
    let has_second_link = file.st_nlink > 1;
    // In a user namespace, somebody else's files may have the owner's number.
    let may_be_planted = file.st_uid == owner.as_raw() && (is_open || !is_roots(directory.st_uid));
    if others_may_write && !is_trusted(file.st_uid) || may_be_planted && !is_own(opened)? {
        Err(Refusal::AnothersFile)
    } else if others_may_write && has_second_link {
        Err(Refusal::SecondLink)
    } else if has_second_link && file.st_uid != owner.as_raw() {
        Err(Refusal::SecondLinkToAnothersFile)
    } else {
        Ok(())
    }
}

/// Whether a file with this user's number really belongs to this user. In a user namespace, the files of everybody
/// outside have one number, which may be this one, `user_namespaces(7)`. But only the owner, or root of a namespace
/// that contains the owner, can set `O_NOATIME`, fcntl(2).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_own(file: &OwnedFd) -> nix::Result<bool> {
    let flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    match fcntl(file, FcntlArg::F_SETFL(flags | OFlag::O_NOATIME)) {
        Err(Errno::EPERM) => Ok(false),
        _ => fcntl(file, FcntlArg::F_SETFL(flags)).map(|_| true),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unnecessary_wraps, reason = "as where there are user namespaces")]
fn is_own(_: &OwnedFd) -> nix::Result<bool> {
    Ok(true)
}

/// `O_EXCL` follows no symbolic link, open(2). On an error, the new file is removed again.
fn create(directory: BorrowedFd<'_>, name: &CStr, mode: Mode) -> nix::Result<Opened> {
    let file = openat(directory, name, APPEND | OFlag::O_CREAT | OFlag::O_EXCL, mode)?;
    match let_block(file.as_fd()).and_then(|()| fstat(&file)) {
        Ok(status) => {
            if Mode::from_bits_truncate(status.st_mode) != mode {
                // Restores the bits that the umask took away. A file system with modes of its own may refuse.
                let _ = fchmod(&file, mode);
            }
            Ok(Opened { file, status, is_new: true })
        }
        Err(error) => {
            let _ = unlinkat(directory, name, UnlinkatFlags::NoRemoveDir);
            Err(error)
        }
    }
}

impl Refusal {
    /// Whether open(2) failed because `O_NOFOLLOW` met a symbolic link. The system's own description would not say so.
    fn is_link(self) -> bool {
        matches!(self, Self::System(Errno::ELOOP | Errno::EMLINK))
    }

    /// The error with the text that is displayed.
    pub(crate) fn explained(self) -> io::Error {
        if self.is_link() { refused(self.to_string()) } else { self.into() }
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

/// One number for an atomic field. No error number is negative.
impl From<Refusal> for i32 {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::System(errno) => errno as Self,
            Refusal::AnothersFile => -1,
            Refusal::SecondLink => -2,
            Refusal::SecondLinkToAnothersFile => -3,
            Refusal::NotAFile => -4,
        }
    }
}

impl From<i32> for Refusal {
    fn from(number: i32) -> Self {
        match number {
            -1 => Self::AnothersFile,
            -2 => Self::SecondLink,
            -3 => Self::SecondLinkToAnothersFile,
            -4 => Self::NotAFile,
            errno => Self::System(Errno::from_raw(errno)),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            _ if self.is_link() => formatter.write_str("it is a symbolic link"),
            Self::System(errno) => write!(formatter, "{} (os error {})", errno.desc(), *errno as i32),
            Self::AnothersFile => {
                formatter.write_str("it belongs to another user, and others may write in its directory")
            }
            Self::SecondLink => formatter.write_str("it has a second hard link, and others may write in its directory"),
            Self::SecondLinkToAnothersFile => {
                formatter.write_str("it has a second hard link and belongs to another user")
            }
            Self::NotAFile => formatter.write_str("its name with a number, such as `.1`, is not a regular file"),
        }
    }
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::System(errno) => errno.into(),
            _ => refused(refusal.to_string()),
        }
    }
}
