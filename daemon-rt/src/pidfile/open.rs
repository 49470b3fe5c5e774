//! Opening a pidfile by rules under which nobody else can have chosen the number in it, or the file behind its name.

use std::{
    fs::{self, File, Metadata, Permissions},
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

/// Everyone may read who runs, and only the owner may say so.
const MODE: u32 = 0o644;

/// Opens the file to lock and write it, and creates it where it is missing. Whether it was created.
pub(super) fn for_locking(path: &Path) -> io::Result<(File, bool)> {
    loop {
        match for_removal(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return Ok((opened?, false)),
        }
        match create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {} // somebody was quicker
            created => return Ok((created?, true)),
        }
    }
}

/// Removes a file that was created in vain, unless somebody has locked it by now. Where there are no locks, nobody has.
pub(super) fn take_back(file: &File, path: &Path) {
    let is_held = matches!(sys::lock(file.as_fd(), libc::LOCK_EX), Ok(false));
    if !is_held && is_at(file, path) {
        let _ = fs::remove_file(path);
    }
}

/// Opens the file to lock it before it is removed.
pub(super) fn for_removal(path: &Path) -> io::Result<File> {
    existing(path, true)
}

/// Opens the file to look at it.
pub(super) fn for_reading(path: &Path) -> io::Result<File> {
    existing(path, false)
}

/// Whether that is the file at that path still.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| is(file, &found))
}

/// Whether that file is the one that was found, which cannot be another of the same number while this one is open.
pub(super) fn is(file: &File, found: &Metadata) -> bool {
    file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
}

fn existing(path: &Path, write: bool) -> io::Result<File> {
    check_directories(path)?;
    check(&fs::symlink_metadata(path)?).map_err(|error| name_target_of_link(error, path))?; // a device acts when opened
    let file = File::options()
        .read(true)
        .write(write)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK) // it may be another by now
        .open(path)
        .map_err(|error| name_target_of_link(error, path))?;
    check(&file.metadata()?)?;
    Ok(file)
}

fn create(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).write(true).create_new(true).mode(MODE).open(path)?;
    let set = file.set_permissions(Permissions::from_mode(MODE)); // whatever the umask took away
    set.inspect_err(|_| take_back(&file, path))?;
    Ok(file)
}

fn check(metadata: &Metadata) -> io::Result<()> {
    let caller = geteuid();
    let owner = metadata.uid();
    if !metadata.is_file() {
        return Err(refused("it is not a regular file"));
    }
    if owner != 0 && owner != caller.as_raw() {
        return Err(refused(format!("it belongs to another user, number {owner}")));
    }
    let strangers = if caller.is_root() { 0o022 } else { 0o002 };
    if metadata.mode() & strangers != 0 {
        return Err(refused(format!("others may write to it, mode {:04o}", metadata.mode() & 0o7777)));
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
