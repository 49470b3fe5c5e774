//! Opens a pidfile by rules that make sure that nobody else has chosen the number in it, or the file that its name
//! leads to.

use std::{
    fs::{self, File},
    io,
    os::fd::AsFd,
    path::{self, Path},
};

use nix::{
    fcntl::{AT_FDCWD, AtFlags, OFlag},
    libc,
    sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat},
    unistd::geteuid,
};

use crate::{
    error::{name_target_of_link, refused},
    privileges,
    sys::{self, FileId},
    terminal::shown,
    trusted_path::{self, Entry, Sticky, name_directory_of},
};

/// Whoever may read a file may lock it, flock(2). Only the owner must be able to keep a daemon from starting.
const MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// The message if the file at the path changes each time.
pub(super) const KEEPS_BEING_REPLACED: &str = "it keeps being replaced";

/// Opens the file to lock it, and to see who runs.
pub(super) fn for_reading(path: &Path) -> io::Result<File> {
    existing(path, OFlag::O_RDONLY)
}

/// Opens the file to change the number in it.
pub(super) fn for_writing(path: &Path) -> io::Result<File> {
    existing(path, OFlag::O_WRONLY)
}

/// Opens the file to lock it, if the lock needs the right to write.
pub(super) fn for_reading_and_writing(path: &Path) -> io::Result<File> {
    existing(path, OFlag::O_RDWR)
}

/// Creates the file, open for writing the number. `AlreadyExists` means that somebody else was quicker.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let entry = locate(path)?;
    let flags = trusted_path::FILE | OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
    let file = entry.open(flags, MODE).map_err(|error| match (error.kind(), path.parent()) {
        (kind @ io::ErrorKind::PermissionDenied, Some(directory)) => {
            io::Error::new(kind, format!("no permission to create it in the directory {}", shown(directory)))
        }
        _ => error,
    })?;
    if let Err(error) = fstat(&file) {
        entry.remove(); // later it could not be told from another file, and would be left behind
        return Err(error.into());
    }
    // The umask may have removed bits.
    close_to_others(&file).inspect_err(|_| take_back(&file, path))?;
    Ok(file)
}

/// Removes a file that was created in vain, unless somebody has locked it by now. On a file system without locks,
/// nobody can have.
pub(super) fn take_back(file: &File, path: &Path) {
    let is_held = matches!(sys::lock(file.as_fd(), libc::LOCK_EX), Ok(false));
    if !is_held && is_at(file, path) {
        let _ = fs::remove_file(path);
    }
}

pub(super) fn close_to_others(file: &File) -> io::Result<()> {
    Ok(fchmod(file, MODE)?)
}

/// Whether the file is ours, and somebody else may read it or write to it.
pub(super) fn is_loose(file: &File) -> io::Result<bool> {
    let status = fstat(file)?;
    let is_open = Mode::from_bits_truncate(status.st_mode).intersects(Mode::S_IRWXG | Mode::S_IRWXO);
    Ok(is_open && status.st_uid == geteuid().as_raw())
}

/// Refuses a number that somebody else may have written. Root does not trust the group of the file either.
pub(super) fn refuse_words_of_others(file: &File) -> io::Result<()> {
    let mode = Mode::from_bits_truncate(fstat(file)?.st_mode);
    let others = if geteuid().is_root() { Mode::S_IWGRP | Mode::S_IWOTH } else { Mode::S_IWOTH };
    if mode.intersects(others) {
        return Err(refused(format!("others may write to it, mode {:04o}", mode.bits())));
    }
    Ok(())
}

/// Whether the file is still the one at that path.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    let found = fstatat(AT_FDCWD, path, AtFlags::AT_SYMLINK_NOFOLLOW);
    matches!((found, fstat(file)), (Ok(found), Ok(own)) if FileId::of(&found) == FileId::of(&own))
}

fn existing(path: &Path, access: OFlag) -> io::Result<File> {
    let entry = locate(path)?;
    let found = entry.status().map_err(|error| name_directory_of(path, error))?;
    check(&found).map_err(|error| name_target_of_link(error, path))?; // opening a device may have an effect
    let opened = entry.open(trusted_path::FILE | access, Mode::empty());
    let file = opened.map_err(|error| name_target_of_link(error, path))?;
    check(&fstat(&file)?)?; // it may be another file by now
    Ok(file)
}

/// Whoever may write in a directory of the path may put another file there. In a sticky directory, they cannot replace
/// somebody else's file.
fn locate(path: &Path) -> io::Result<Entry> {
    trusted_path::refuse_too_long(path)?;
    let path = path::absolute(path)?;
    if has_more_rights() { trusted_path::walk(&path, Sticky::Safe) } else { trusted_path::follow(&path) }
}

/// Whether this process is root, and has rights that an ordinary user lacks.
pub(super) fn has_more_rights() -> bool {
    geteuid().is_root() && !privileges::root_is_ordinary_user()
}

fn check(status: &FileStat) -> io::Result<()> {
    let owner = status.st_uid;
    if sys::kind_of(status) != SFlag::S_IFREG {
        return Err(refused("it is not a regular file"));
    }
    if owner != 0 && owner != geteuid().as_raw() {
        return Err(refused(format!("it belongs to another user, with the id {owner}")));
    }
    if status.st_nlink > 1 {
        return Err(refused("it has a second hard link"));
    }
    Ok(())
}
