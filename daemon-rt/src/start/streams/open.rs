//! Opening the files of the standard streams, by rules that a stranger with a place in their directory cannot bend.

use std::{
    ffi::CString,
    fs::{self, File},
    io,
    os::{
        fd::OwnedFd,
        unix::{
            ffi::OsStrExt,
            fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
        },
    },
    path::{Path, PathBuf},
};

use nix::{
    libc,
    unistd::{Uid, geteuid},
};

use crate::{
    Error,
    directories::{Sticky, open_to_others},
    logs,
    privileges::Account,
    refusal::{name_target_of_link, refused},
};

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
    let name = CString::new(path.as_os_str().as_bytes())?;
    let opened = logs::open::for_appending(&name, owner).map_err(|refusal| explain(refusal.into(), path))?;
    let file = File::from(opened.file);
    let created = opened.is_new.then(|| Created::new(path, &file, rights)).transpose()?;
    Ok((file, created))
}

/// Opens a file to read from.
pub(crate) fn for_reading(path: &Path) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .custom_flags(logs::open::FLAGS.bits())
        .open(path)
        .map_err(|error| explain(error, path))?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let file = OwnedFd::from(file);
    logs::open::let_block(&file)?;
    Ok(file.into())
}

/// Opens the regular file that `file` is open on once more, to read what is written to it; none where that is not
/// possible, or the path leads elsewhere by now.
pub(crate) fn again_for_reading(file: &File, path: &Path) -> Option<File> {
    let (known, reader) = (file.metadata().ok()?, for_reading(path).ok()?);
    let found = reader.metadata().ok()?;
    (found.is_file() && (found.dev(), found.ino()) == (known.dev(), known.ino())).then_some(reader)
}

/// The system's words for these two would lead nobody to the cause.
fn explain(error: io::Error, path: &Path) -> io::Error {
    let is_fifo = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
    if is_fifo && error.raw_os_error() == Some(libc::ENXIO) {
        return refused("no process has this FIFO open for reading");
    }
    name_target_of_link(error, path)
}

impl Created {
    fn new(path: &Path, file: &File, rights: &Rights) -> io::Result<Self> {
        let metadata = file.metadata().inspect_err(|_| _ = fs::remove_file(path))?;
        Ok(Self { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino(), rights: rights.clone() })
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        let remove = || {
            let found = fs::symlink_metadata(&self.path)?;
            if (found.dev(), found.ino(), found.len()) == (self.device, self.inode, 0) {
                fs::remove_file(&self.path)?;
            }
            Ok(())
        };
        let _ = match &self.rights {
            Rights::User(account) if account.uid == geteuid() => Ok(remove()), // the way back from the user failed
            rights => rights.act(remove),
        };
    }
}
