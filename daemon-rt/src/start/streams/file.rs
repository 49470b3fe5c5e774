//! Opens the files of the standard streams, so that nobody who may write in their directories can redirect the daemon.

use std::{
    ffi::CString,
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::{ffi::OsStrExt, fs::FileTypeExt},
    },
    path::{Path, PathBuf},
};

use nix::{
    fcntl::OFlag,
    libc,
    sys::stat::Mode,
    unistd::{Uid, geteuid},
};

use super::by_path::{OpenFiles, Opening};
use crate::{
    Error,
    error::{name_target_of_link, refused},
    logs::open_log,
    privileges::{Account, Action, Found},
    sys::{self, FileId},
    trusted_path::{self, Entry, Sticky, name_directory_of},
};

/// A file that the start created. When dropped, it is removed again, unless somebody has written to it.
#[derive(Debug)]
pub(crate) struct Created {
    path: PathBuf,
    file_id: FileId,
    rights: Rights,
    opening: &'static dyn Opening,
}

/// Whose rights are used to open a file.
#[derive(Debug, Clone)]
pub(crate) enum Rights {
    /// The launcher's.
    Own,
    /// The rights of the user that the daemon becomes. They are used if anybody but root decides where the path leads,
    /// or if that user may do more than root.
    User(Box<Account>),
    /// The same, in a process that has only that user's ids.
    UserAlone(Box<Account>),
}

/// Opens a file with the launcher's rights if root alone decides where the path leads. Otherwise, or if the launcher
/// may not open it, opens it as the user. If neither may, the first error counts.
///
/// Root may lack access on NFS with `root_squash`, exports(5), on FUSE without `allow_root`, or without
/// `CAP_DAC_OVERRIDE`.
pub(crate) fn open(
    path: &Path,
    account: Option<&Account>,
    open: impl Fn(Option<Entry>) -> io::Result<Found>,
) -> Result<(Rights, io::Result<Found>), Error> {
    let account = account.filter(|account| account.user_is_given && !account.uid.is_root());
    let (mut rights, mut judged) = locate(path, account);
    let mut first = None;
    loop {
        let mut created = None;
        let answer = rights.act(&mut || open(judged.take()).inspect(|found| created = found.created));
        if let (Err(_), Some(file_id)) = (&answer, created) {
            drop(Created::new(path, file_id, &rights)); // the way back failed
        }
        let error = match answer? {
            Err(error) => error,
            found => return Ok((rights, found)),
        };
        if error.kind() != io::ErrorKind::PermissionDenied {
            return Ok((rights, Err(error)));
        }
        let others = rights.others(account);
        let (whose, error) = first.take().unwrap_or((rights, error));
        match others {
            Some(others) => (rights, first) = (others, Some((whose, error))),
            None => return Ok((whose, Err(error))),
        }
    }
}

/// Whose rights are used first, and the directory, if it has been checked.
fn locate(path: &Path, account: Option<&Account>) -> (Rights, Option<Entry>) {
    let Some(account) = account else { return (Rights::Own, None) };
    match trusted_path::walk(path, Sticky::SafeAbove) {
        Ok(entry) => (Rights::Own, Some(entry)),
        // If the path cannot be checked, it is opened with the user's rights, and that error says why.
        Err(_) => (Rights::User(Box::new(account.clone())), None),
    }
}

impl Rights {
    pub(crate) fn act(&self, action: &mut Action<'_>) -> Result<io::Result<Found>, Error> {
        match self {
            Self::Own => Ok(action()),
            Self::User(account) => account.act(action),
            Self::UserAlone(account) => {
                Ok(account.act_apart(action).unwrap_or_else(|| Err(io::Error::from_raw_os_error(libc::EACCES))))
            }
        }
    }

    /// Whose rights are used next.
    fn others(&self, account: Option<&Account>) -> Option<Self> {
        let account = Box::new(account?.clone());
        match self {
            Self::Own => Some(Self::User(account)),
            Self::User(_) => Some(Self::UserAlone(account)),
            Self::UserAlone(_) => None,
        }
    }
}

/// Opens a file for appending. Creates it for `owner` if it is missing.
pub(crate) fn for_appending(path: &Path, judged: Option<Entry>, owner: Uid) -> io::Result<Found> {
    let entry = entry(path, judged)?;
    let name = CString::new(entry.name.as_bytes())?;
    let opened = open_log::for_appending(entry.directory.as_fd(), &name, owner, open_log::MODE)
        .map_err(|refusal| explain(refusal.into(), path))?;
    let file_id = || sys::file_id(opened.file.as_raw_fd()).inspect_err(|_| entry.remove());
    let created = opened.is_new.then(file_id).transpose()?;
    Ok(Found { file: Some(opened.file), created })
}

/// Opens a file for reading.
pub(crate) fn for_reading(path: &Path, judged: Option<Entry>) -> io::Result<Found> {
    let opened = entry(path, judged)?.open(trusted_path::FILE | OFlag::O_RDONLY, Mode::empty());
    let file = opened.map_err(|error| explain(error, path))?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    open_log::let_block(file.as_fd())?;
    Ok(Found { file: Some(file.into()), created: None })
}

fn entry(path: &Path, judged: Option<Entry>) -> io::Result<Entry> {
    judged.map_or_else(|| trusted_path::follow(path), Ok)
}

/// Opens the regular file that `file` is open on a second time, for reading what is written to it. Returns nothing if
/// the path leads elsewhere by now.
pub(crate) fn again_for_reading(file: &File, path: &Path, judged: Option<Entry>) -> io::Result<Found> {
    if !file.metadata()?.is_file() {
        return Ok(Found::default());
    }
    let mut found = for_reading(path, judged)?;
    found.file = found.file.filter(|reader| sys::are_the_same(reader.as_raw_fd(), file.as_raw_fd()));
    Ok(found)
}

/// The system's descriptions of these errors do not say the cause.
fn explain(error: io::Error, path: &Path) -> io::Error {
    let is_fifo = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
    if is_fifo && error.raw_os_error() == Some(libc::ENXIO) {
        return refused("no process has this FIFO open for reading");
    }
    name_target_of_link(name_directory_of(path, error), path)
}

impl Created {
    pub(super) fn new(path: &Path, file_id: FileId, rights: &Rights) -> Self {
        Self { path: path.to_owned(), file_id, rights: rights.clone(), opening: &OpenFiles }
    }

    pub(super) fn remove_unless_used(&self) {
        let mut remove = || self.try_to_remove().map(|()| Found::default());
        let _ = match &self.rights {
            Rights::User(account) if account.uid == geteuid() => Ok(remove()), // the way back failed
            rights => rights.act(&mut remove),
        };
    }

    /// Opens the directory only once: the path may lead elsewhere a moment later.
    fn try_to_remove(&self) -> io::Result<()> {
        let entry = trusted_path::follow(&self.path)?;
        let found = entry.status()?;
        if FileId::of(&found) == self.file_id && found.st_size == 0 {
            entry.remove();
        }
        Ok(())
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        self.opening.remove_unless_used(self);
    }
}
