//! Opening a pidfile by rules under which nobody else can have chosen the number in it, or the file behind its name.

use std::{
    fs::{self, File, Metadata, OpenOptions, Permissions},
    io,
    os::{
        fd::AsFd,
        unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{self, Path},
};

use nix::{libc, unistd::geteuid};

use crate::{
    refusal::{name_target_of_link, refused},
    sys,
    trusted_path::{self, Sticky},
};

/// Whoever may read a file may lock it, flock(2): nobody but the owner shall keep a daemon from starting.
const MODE: u32 = 0o600;

/// Why a file is given up that is never found at its path again.
pub(super) const ANOTHER_AT_EACH_LOOK: &str = "it is another file at each look";

/// Opens the file to lock it, and to see who runs.
pub(super) fn for_reading(path: &Path) -> io::Result<File> {
    existing(path, File::options().read(true))
}

/// Opens the file to change the number in it.
pub(super) fn for_writing(path: &Path) -> io::Result<File> {
    existing(path, File::options().write(true))
}

/// Creates the file, open to write the number. `AlreadyExists`: somebody was quicker.
pub(super) fn create(path: &Path) -> io::Result<File> {
    check_directories(path)?;
    let file = File::options().write(true).create_new(true).mode(MODE).open(path)?;
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
    file.set_permissions(Permissions::from_mode(MODE))
}

/// Whether it is ours, and somebody else may read it, or write to it.
pub(super) fn is_loose(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    Ok(metadata.uid() == geteuid().as_raw() && metadata.mode() & 0o777 & !MODE != 0)
}

/// A number that somebody else may have written means nothing. Root does not trust the group of the file either.
pub(super) fn refuse_words_of_others(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.mode() & 0o7777;
    let strangers = if geteuid().is_root() { 0o022 } else { 0o002 };
    if mode & strangers == 0 { Ok(()) } else { Err(refused(format!("others may write to it, mode {mode:04o}"))) }
}

/// Whether that is the file at that path still.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| is(file, &found))
}

/// Whether both are open on the same file.
pub(super) fn are_the_same(one: &File, other: &File) -> bool {
    other.metadata().is_ok_and(|found| is(one, &found))
}

/// Whether that file is the one that was found, which cannot be another of the same number while this one is open.
pub(super) fn is(file: &File, found: &Metadata) -> bool {
    file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
}

fn existing(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    check_directories(path)?;
    check(&fs::symlink_metadata(path)?).map_err(|error| name_target_of_link(error, path))?; // a device acts when opened
    let file = options
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK) // it may be another by now
        .open(path)
        .map_err(|error| name_target_of_link(error, path))?;
    check(&file.metadata()?)?;
    Ok(file)
}

fn check(metadata: &Metadata) -> io::Result<()> {
    let owner = metadata.uid();
    if !metadata.is_file() {
        return Err(refused("it is not a regular file"));
    }
    if owner != 0 && owner != geteuid().as_raw() {
        return Err(refused(format!("it belongs to another user, number {owner}")));
    }
    if metadata.nlink() > 1 {
        return Err(refused("it has a second hard link"));
    }
    Ok(())
}

/// Who may write in a directory of the path may put another file there; in a sticky one not in place of somebody
/// else's.
fn check_directories(path: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    trusted_path::walk(&path::absolute(path)?, Sticky::Safe).map(drop)
}
