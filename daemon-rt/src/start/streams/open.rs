//! Opening the files of the standard streams, by rules that a stranger with a place in their directory cannot bend.

use std::{
    ffi::CString,
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{
            ffi::OsStrExt,
            fs::{FileTypeExt, MetadataExt},
        },
    },
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{AtFlags, OFlag, openat},
    libc,
    sys::stat::{Mode, fstatat},
    unistd::{Uid, UnlinkatFlags, geteuid, unlinkat},
};

use crate::{
    Error, logs,
    privileges::Account,
    refusal::{name_target_of_link, refused},
    sys,
    trusted_path::{self, Entry, Sticky, name_directory_of},
};

/// A file that the start created. Dropped, it is removed again unless somebody has written to it.
#[derive(Debug)]
pub(crate) struct Created {
    path: PathBuf,
    identity: (libc::dev_t, libc::ino_t),
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

/// By whose rights that file is opened, and in which directory where that was judged.
pub(crate) fn locate(path: &Path, account: Option<&Account>) -> (Rights, Option<Entry>) {
    let Some(account) = account.filter(|account| account.user_is_given && !account.uid.is_root()) else {
        return (Rights::Own, None);
    };
    match trusted_path::walk(path, Sticky::SafeAbove) {
        Ok(entry) => (Rights::Own, Some(entry)),
        // Where a step of the path cannot be judged, the user's rights are enough to say why.
        Err(_) => (Rights::User(Box::new(account.clone())), None),
    }
}

impl Rights {
    pub(crate) fn act<T>(&self, action: impl FnOnce() -> io::Result<T>) -> Result<io::Result<T>, Error> {
        match self {
            Self::Own => Ok(action()),
            Self::User(account) => account.act(action),
        }
    }
}

/// Opens a file to append to, and creates it where it is missing, for `owner`.
pub(crate) fn for_appending(
    path: &Path,
    judged: Option<Entry>,
    owner: Uid,
    rights: &Rights,
) -> io::Result<(File, Option<Created>)> {
    let entry = entry(path, judged)?;
    let name = CString::new(entry.name.as_bytes())?;
    let opened = logs::open::for_appending(entry.directory.as_fd(), &name, owner)
        .map_err(|refusal| explain(refusal.into(), path))?;
    let file = File::from(opened.file);
    let created = opened.is_new.then(|| Created::new(path, &entry, &file, rights)).transpose()?;
    Ok((file, created))
}

/// Opens a file to read from.
pub(crate) fn for_reading(path: &Path, judged: Option<Entry>) -> io::Result<File> {
    let entry = entry(path, judged)?;
    let flags = logs::open::FLAGS | OFlag::O_RDONLY;
    let open = || Ok(openat(&entry.directory, entry.name.as_os_str(), flags, Mode::empty())?);
    let file = File::from(sys::uninterrupted(open).map_err(|error| explain(error, path))?);
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let file = OwnedFd::from(file);
    logs::open::let_block(&file)?;
    Ok(file.into())
}

fn entry(path: &Path, judged: Option<Entry>) -> io::Result<Entry> {
    judged.map_or_else(|| trusted_path::follow(path), Ok)
}

/// Opens the regular file that `file` is open on once more, to read what is written to it; none where that is not
/// possible, or the path leads elsewhere by now.
pub(crate) fn again_for_reading(file: &File, path: &Path, judged: Option<Entry>) -> Option<File> {
    let (known, reader) = (file.metadata().ok()?, for_reading(path, judged).ok()?);
    let found = reader.metadata().ok()?;
    (found.is_file() && (found.dev(), found.ino()) == (known.dev(), known.ino())).then_some(reader)
}

/// The system's words for these two would lead nobody to the cause.
fn explain(error: io::Error, path: &Path) -> io::Error {
    let is_fifo = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
    if is_fifo && error.raw_os_error() == Some(libc::ENXIO) {
        return refused("no process has this FIFO open for reading");
    }
    name_target_of_link(name_directory_of(path, error), path)
}

impl Created {
    fn new(path: &Path, entry: &Entry, file: &File, rights: &Rights) -> io::Result<Self> {
        let identity = sys::identity_of(file.as_raw_fd()).inspect_err(|_| remove(entry))?;
        Ok(Self { path: path.to_owned(), identity, rights: rights.clone() })
    }

    /// In the directory that is looked at: the path may lead elsewhere by then.
    fn remove_unless_used(&self) -> io::Result<()> {
        let entry = trusted_path::follow(&self.path)?;
        let found = fstatat(&entry.directory, entry.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        if (found.st_dev, found.st_ino) == self.identity && found.st_size == 0 {
            remove(&entry);
        }
        Ok(())
    }
}

fn remove(entry: &Entry) {
    let _ = unlinkat(&entry.directory, entry.name.as_os_str(), UnlinkatFlags::NoRemoveDir);
}

impl Drop for Created {
    fn drop(&mut self) {
        let _ = match &self.rights {
            Rights::User(account) if account.uid == geteuid() => Ok(self.remove_unless_used()), // the way back failed
            rights => rights.act(|| self.remove_unless_used()),
        };
    }
}
