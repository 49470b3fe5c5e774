//! Streams that are given by a path.

use std::{
    fmt,
    fs::File,
    io,
    panic::RefUnwindSafe,
    path::{Path, PathBuf},
};

use nix::{
    sys::stat::fstat,
    unistd::{fchown, geteuid},
};

use super::file::{self, Created, Rights};
use crate::{
    Error,
    inherited::Inherited,
    privileges::{Account, Found},
    start::check,
    stdio::{ByPath, Limit},
    terminal::shown,
};

/// All code that opens files by path. Only a [`Stdio`](crate::Stdio) with a path refers to it, so the linker leaves it
/// out of a program that has none.
pub(crate) trait Opening: fmt::Debug + Sync + RefUnwindSafe {
    fn input(&self, file: &ByPath, inherited: &Inherited, account: Option<&Account>) -> Result<File, Error>;
    fn output(&self, name: &str, file: &ByPath, inherited: &Inherited, account: Option<&Account>)
    -> Result<Log, Error>;
    /// With `Stdio::truncate`.
    fn truncate(&self, log: &Log) -> Result<io::Result<()>, Error>;
    /// Opens a log to read what the daemon writes to it. None if that is not possible.
    fn reader(&self, log: &Log, account: Option<&Account>) -> Result<Option<File>, Error>;
    fn remove_unless_used(&self, created: &Created);
}

#[derive(Debug)]
pub(crate) struct OpenFiles;

/// An output, as it was opened.
///
/// If the start created the file, it is removed again while it is still open: so no other file can have its inode
/// number.
pub(crate) struct Log {
    pub(super) created: Option<Created>,
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) limit: Option<Limit>,
    /// Whose rights are used to truncate the file, with `Stdio::truncate`.
    truncate: Option<Rights>,
    opening: &'static dyn Opening,
}

impl Opening for OpenFiles {
    fn input(&self, file: &ByPath, inherited: &Inherited, account: Option<&Account>) -> Result<File, Error> {
        if file.is_truncated {
            return Err(Error::new(
                "`stdin` is only read, and cannot be truncated: give it the path, without `Stdio::truncate`",
            ));
        }
        let path = inherited.absolute(check::stream("stdin", &file.path)?)?;
        let (rights, found) = file::open(&path, account, |judged| file::for_reading(&path, judged))?;
        opened("stdin", &path, &rights, found).map(|(file, _)| file)
    }

    fn output(
        &self,
        name: &str,
        file: &ByPath,
        inherited: &Inherited,
        account: Option<&Account>,
    ) -> Result<Log, Error> {
        let path = inherited.absolute(check::stream(name, &file.path)?)?;
        let owner = account.map_or_else(geteuid, |account| account.uid);
        let open = |judged| file::for_appending(&path, judged, owner);
        let (rights, found) = file::open(&path, account, open)?;
        let (opened, created) = opened(name, &path, &rights, found)?;
        if let (Some(account), Rights::Own, Some(_)) = (account, &rights, &created) {
            give_away(&opened, account).map_err(|error| {
                let what = format!("cannot give {name} {} to {account}", shown(&path));
                Error::because(what, error).withhold_all_but(opening(name, &path))
            })?;
        }
        let truncate = file.is_truncated.then_some(rights);
        Ok(Log { created, file: opened, path, limit: None, truncate, opening: &OpenFiles })
    }

    fn truncate(&self, log: &Log) -> Result<io::Result<()>, Error> {
        let Some(rights) = &log.truncate else { return Ok(Ok(())) };
        let mut empty = || {
            if log.file.metadata()?.is_file() {
                log.file.set_len(0)?;
            }
            Ok(Found::default())
        };
        Ok(rights.act(&mut empty)?.map(drop))
    }

    fn reader(&self, log: &Log, account: Option<&Account>) -> Result<Option<File>, Error> {
        let Log { file, path, .. } = log;
        let (_, found) = file::open(path, account, |judged| file::again_for_reading(file, path, judged))?;
        Ok(found.ok().and_then(|found| found.file).map(File::from))
    }

    fn remove_unless_used(&self, created: &Created) {
        created.remove_unless_used();
    }
}

impl Log {
    /// Duplicates the open file, so that two streams on it share one position.
    pub(super) fn duplicate(&self) -> io::Result<Self> {
        let (file, path) = (self.file.try_clone()?, self.path.clone());
        Ok(Self { created: None, file, path, limit: None, truncate: None, opening: self.opening })
    }

    pub(super) fn truncate(&self) -> Result<io::Result<()>, Error> {
        self.opening.truncate(self)
    }

    pub(super) fn reader(&self, account: Option<&Account>) -> Result<Option<File>, Error> {
        self.opening.reader(self, account)
    }
}

fn opened(
    name: &str,
    path: &Path,
    rights: &Rights,
    found: io::Result<Found>,
) -> Result<(File, Option<Created>), Error> {
    let found = found.and_then(|Found { file, created }| Ok((file.ok_or(io::ErrorKind::NotFound)?, created)));
    let (file, created) = found.map_err(|error| cannot_open(name, path, rights, error))?;
    Ok((file.into(), created.map(|file_id| Created::new(path, file_id, rights))))
}

fn cannot_open(name: &str, path: &Path, rights: &Rights, error: io::Error) -> Error {
    let step = opening(name, path);
    match rights {
        Rights::Own => Error::because(step, error),
        // "as user" would tell a caller who may write in the directories of the path.
        Rights::User(account) | Rights::UserAlone(account) => {
            Error::because(format!("{step} as {account}"), error).withhold_all_but(step)
        }
    }
}

fn opening(name: &str, path: &Path) -> String {
    format!("cannot open {name} {}", shown(path))
}

/// If the file already has the owner, it is not set: setting it would still need a privilege.
fn give_away(file: &File, account: &Account) -> io::Result<()> {
    let status = fstat(file)?;
    let uid = Some(account.uid).filter(|uid| uid.as_raw() != status.st_uid);
    let gid = Some(account.gid).filter(|gid| gid.as_raw() != status.st_gid);
    if uid.is_some() || gid.is_some() {
        fchown(file, uid, gid)?;
    }
    Ok(())
}
