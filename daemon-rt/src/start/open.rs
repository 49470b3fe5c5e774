//! Opening the files of the standard streams, by rules that a stranger with a place in their directory cannot bend.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    libc::{self, c_int},
    unistd::Uid,
};

use crate::{
    Error,
    directories::{Sticky, open_to_others},
    privileges::Account,
    refusal::{name_target_of_link, refused},
};

/// `O_NOCTTY`: a terminal among the streams never becomes the controlling one. `O_NONBLOCK`, for the open alone: a FIFO
/// without a reader is an error then, and no wait for one.
const FLAGS: c_int = libc::O_NOFOLLOW | libc::O_NOCTTY | libc::O_NONBLOCK;

/// Its owner may write a log, and his group may read it.
const MODE: u32 = 0o640;

/// A file that the start created. Dropped, it is removed again unless somebody has written to it.
#[derive(Debug)]
pub(crate) struct Created {
    path: PathBuf,
    device: u64,
    inode: u64,
    rights: Rights,
}

/// By whose rights a file is opened.
#[derive(Debug, Clone)]
pub(crate) enum Rights {
    /// Those of the launcher.
    Own,
    /// Those of the user that the daemon will be: somebody but root may decide what the path leads to.
    User(Box<Account>),
}

impl Rights {
    pub(crate) fn of(account: Option<&Account>, path: &Path) -> Self {
        match account.filter(|account| account.user_is_given && !account.uid.is_root()) {
            // Where a step of the path cannot be judged, the user's rights are enough to say why.
            Some(account) if !matches!(open_to_others(path, Sticky::SafeAbove), Ok(None)) => {
                Self::User(Box::new(account.clone()))
            }
            _ => Self::Own,
        }
    }

    pub(crate) fn act<T>(&self, action: impl FnOnce() -> io::Result<T>) -> Result<io::Result<T>, Error> {
        match self {
            Self::Own => Ok(action()),
            Self::User(account) => account.act(action),
        }
    }
}

/// Opens a file to append to, and creates it where it is missing, for `owner`.
pub(crate) fn for_appending(path: &Path, owner: Uid, rights: &Rights) -> io::Result<(File, Option<Created>)> {
    let mut existing = File::options();
    existing.append(true).custom_flags(FLAGS);
    loop {
        match open(&existing, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return Ok((check_links(opened?, owner)?, None)),
        }
        match create(path, rights) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {} // somebody was quicker
            created => return created.map(|(file, created)| (file, Some(created))),
        }
    }
}

/// Opens a file to read from.
pub(crate) fn for_reading(path: &Path) -> io::Result<File> {
    let file = open(File::options().read(true).custom_flags(FLAGS), path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(file)
}

/// Opens the regular file that `file` is open on once more, to read what is written to it; none where that is not
/// possible.
pub(crate) fn again_for_reading(file: &File, path: &Path) -> Option<File> {
    let (known, reader) = (file.metadata().ok()?, for_reading(path).ok()?);
    let found = reader.metadata().ok()?;
    (found.is_file() && (found.dev(), found.ino()) == (known.dev(), known.ino())).then_some(reader)
}

fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.open(path).map_err(|error| explain(error, path))?;
    let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
    fcntl(&file, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    Ok(file)
}

/// `O_EXCL` follows no symbolic link, open(2), and what it creates is a regular file, which needs no other flag.
fn create(path: &Path, rights: &Rights) -> io::Result<(File, Created)> {
    let file = File::options().append(true).create_new(true).mode(MODE).open(path)?;
    let metadata = file.metadata().inspect_err(|_| _ = fs::remove_file(path))?;
    let created =
        Created { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino(), rights: rights.clone() };
    set_mode(&file, metadata.mode())?;
    Ok((file, created))
}

/// Gives back what the umask took away. A file system that has modes of its own may refuse.
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    if mode & 0o777 == MODE {
        return Ok(());
    }
    match file.set_permissions(Permissions::from_mode(MODE)) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOTSUP | libc::ENOSYS)) => Ok(()),
        set => set,
    }
}

/// Whoever may write in the log directory may put a hard link to a file of somebody else's there. One to a file of the
/// daemon's own gains nothing.
fn check_links(file: File, owner: Uid) -> io::Result<File> {
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.nlink() > 1 && metadata.uid() != owner.as_raw() {
        return Err(refused("it has a second hard link and belongs to another user"));
    }
    Ok(file)
}

/// The system's words for these two would lead nobody to the cause.
fn explain(error: io::Error, path: &Path) -> io::Error {
    let is_fifo = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
    if is_fifo && error.raw_os_error() == Some(libc::ENXIO) {
        return refused("no process has this FIFO open for reading");
    }
    name_target_of_link(error, path)
}

impl Drop for Created {
    fn drop(&mut self) {
        let _ = self.rights.act(|| {
            let found = fs::symlink_metadata(&self.path)?;
            if (found.dev(), found.ino(), found.len()) == (self.device, self.inode, 0) {
                fs::remove_file(&self.path)?;
            }
            Ok(())
        });
    }
}
