//! Opening a pidfile by rules under which nobody else can have chosen the number in it, or the file behind its name.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::fd::AsFd,
    path::{self, Path},
};

use nix::{
    fcntl::{AtFlags, OFlag, openat},
    libc,
    sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, lstat},
    unistd::{UnlinkatFlags, geteuid, unlinkat},
};

use crate::{
    error::{name_target_of_link, refused},
    privileges, sys,
    terminal::shown,
    trusted_path::{self, Entry, Sticky, name_directory_of},
};

/// Whoever may read a file may lock it, flock(2): nobody but the owner shall keep a daemon from starting.
const MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// Why a file is given up that is never found at its path again.
pub(super) const KEEPS_BEING_REPLACED: &str = "it keeps being replaced";

/// Opens the file to lock it, and to see who runs.
pub(super) fn for_reading(path: &Path) -> io::Result<File> {
    existing(path, OFlag::O_RDONLY)
}

/// Opens the file to change the number in it.
pub(super) fn for_writing(path: &Path) -> io::Result<File> {
    existing(path, OFlag::O_WRONLY)
}

/// Creates the file, open to write the number. `AlreadyExists`: somebody was quicker.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let entry = locate(path)?;
    let file = open(&entry, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL).map_err(|error| {
        match (error.kind(), path.parent()) {
            (kind @ io::ErrorKind::PermissionDenied, Some(directory)) => {
                io::Error::new(kind, format!("no permission to create it in the directory {}", shown(directory)))
            }
            _ => error,
        }
    })?;
    if let Err(error) = fstat(&file) {
        // It could not be told from another one later, and would be left behind.
        let _ = unlinkat(&entry.directory, entry.name.as_os_str(), UnlinkatFlags::NoRemoveDir);
        return Err(error.into());
    }
    // The umask may have taken something away.
    close_to_others(&file).inspect_err(|_| take_back(&file, path))?;
    Ok(file)
}

/// Removes a file that was created in vain, unless somebody has locked it by now. Where there are no locks, nobody has.
pub(super) fn take_back(file: &File, path: &Path) {
    let is_held = matches!(sys::lock(file.as_fd(), libc::LOCK_EX), Ok(false));
    if !is_held && is_at(file, path) {
        let _ = fs::remove_file(path);
    }
}

pub(super) fn close_to_others(file: &File) -> io::Result<()> {
    Ok(fchmod(file, MODE)?)
}

/// Whether it is ours, and somebody else may read it, or write to it.
pub(super) fn is_loose(file: &File) -> io::Result<bool> {
    let status = fstat(file)?;
    let is_open = Mode::from_bits_truncate(status.st_mode).intersects(Mode::S_IRWXG | Mode::S_IRWXO);
    Ok(is_open && status.st_uid == geteuid().as_raw())
}

/// A number that somebody else may have written means nothing. Root does not trust the group of the file either.
pub(super) fn refuse_words_of_others(file: &File) -> io::Result<()> {
    let mode = Mode::from_bits_truncate(fstat(file)?.st_mode);
    let others = if geteuid().is_root() { Mode::S_IWGRP | Mode::S_IWOTH } else { Mode::S_IWOTH };
    if mode.intersects(others) {
        return Err(refused(format!("others may write to it, mode {:04o}", mode.bits())));
    }
    Ok(())
}

/// Whether that is the file at that path still.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    lstat(path).is_ok_and(|found| is(file, &found))
}

/// Whether both are open on the same file.
pub(super) fn are_the_same(one: &File, other: &File) -> bool {
    fstat(other).is_ok_and(|found| is(one, &found))
}

/// Whether that file is the one that was found, which cannot be another of the same number while this one is open.
pub(super) fn is(file: &File, found: &FileStat) -> bool {
    fstat(file).is_ok_and(|own| (own.st_dev, own.st_ino) == (found.st_dev, found.st_ino))
}

fn existing(path: &Path, access: OFlag) -> io::Result<File> {
    let entry = locate(path)?;
    let found = fstatat(&entry.directory, entry.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW)
        .map_err(|error| name_directory_of(path, error.into()))?;
    check(&found).map_err(|error| name_target_of_link(error, path))?; // a device acts when opened
    // It may be another by now.
    let file = open(&entry, access).map_err(|error| name_target_of_link(error, path))?;
    check(&fstat(&file)?)?;
    Ok(file)
}

/// Whoever may write in a directory of the path may put another file there; in a sticky one not in place of somebody
/// else's.
fn locate(path: &Path) -> io::Result<Entry> {
    trusted_path::refuse_too_long(path)?;
    let path = path::absolute(path)?;
    let has_more_rights = geteuid().is_root() && !privileges::root_is_ordinary_user();
    if has_more_rights { trusted_path::walk(&path, Sticky::Safe) } else { trusted_path::follow(&path) }
}

fn open(entry: &Entry, flags: OFlag) -> io::Result<File> {
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let name: &OsStr = &entry.name;
    sys::uninterrupted(|| Ok(openat(&entry.directory, name, flags, MODE)?.into()))
}

fn check(status: &FileStat) -> io::Result<()> {
    let owner = status.st_uid;
    if sys::kind_of(status) != SFlag::S_IFREG {
        return Err(refused("it is not a regular file"));
    }
    if owner != 0 && owner != geteuid().as_raw() {
        return Err(refused(format!("it belongs to another user, number {owner}")));
    }
    if status.st_nlink > 1 {
        return Err(refused("it has a second hard link"));
    }
    Ok(())
}
