//! Checks in the launcher whether the daemon, as its user and in its root directory, will be able to rotate its logs.

use std::{
    ffi::{CString, OsStr},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use nix::{
    fcntl::{AtFlags, openat},
    libc,
    sys::stat::{Mode, SFlag, fstat, fstatat},
    unistd::{AccessFlags, faccessat, geteuid},
};

use super::reopening::{Candidate, Reopener, Reopening, from_root};
use crate::{
    Error,
    error::refused,
    logs::{Log, numbered::Numbered, rotator},
    privileges::look_as,
    stdio::Limit,
    sys,
    terminal::shown,
    trusted_path,
};

/// All code of [`Stdio::rotate`](crate::Stdio::rotate), as [`ReopenLogs`](super::ReopenLogs) has that of `reopen_logs`.
#[derive(Debug)]
pub(crate) struct RotateLogs;

impl Reopening for RotateLogs {
    fn prepare(&self, candidate: &Candidate<'_>, reopener: &Reopener<'_>) -> Result<Option<Log>, Error> {
        let (Some(log), Some(limit)) = (reopener.log(candidate)?, candidate.limit) else { return Ok(None) };
        let what = format!("cannot rotate {} {}", candidate.name, shown(candidate.path));
        let status = fstat(candidate.file).map_err(|error| Error::because(what.clone(), error))?;
        if sys::kind_of(&status) != SFlag::S_IFREG {
            return Ok(Some(log)); // a FIFO does not grow
        }
        reopener.ask_to_rotate(candidate, limit, &what)?;
        Ok(Some(log.with_limit(limit, reopener.program, what)))
    }

    fn begin(&self, logs: &mut Vec<Log>) -> Result<(), Error> {
        rotator::begin(logs)
    }

    fn leave_alone(&self) {
        rotator::leave_alone();
    }
}

impl Reopener<'_> {
    /// The user must be able to rename the log, which needs permission in its directory, and to lock it by its name.
    fn ask_to_rotate(&self, candidate: &Candidate<'_>, limit: Limit, what: &str) -> Result<(), Error> {
        let because = |error| Error::because(what.to_owned(), error);
        let path = self.path_in_daemon(candidate.path).map_err(because)?;
        let root = self.open_root().map_err(because)?;
        let whole = self.account.map_or_else(|| what.to_owned(), |account| format!("{what} as {account}"));
        let ask = |what_not: &str, look: &dyn Fn() -> io::Result<()>| {
            look_as(self.account, look)?.map_err(|error| {
                let why = io::Error::new(error.kind(), format!("it cannot be {what_not}: {error}"));
                Error::because(whole.clone(), why).withhold_all_but(what.to_owned())
            })
        };
        let may = |path: &Path, rights| Ok(faccessat(&root, &from_root(path), rights, AtFlags::AT_EACCESS)?);
        let (directory, name) = trusted_path::split(&path);
        let renamed = format!("renamed in {}", shown(path.parent().unwrap_or(directory)));
        ask(&renamed, &|| may(directory, AccessFlags::W_OK | AccessFlags::X_OK))?;
        ask("written to", &|| may(&path, AccessFlags::W_OK))?;
        let name = CString::new(name.as_bytes()).map_err(|error| because(error.into()))?;
        ask(&renamed, &|| {
            let directory = open_directory(&root, directory)?;
            let numbered = Numbered { directory: directory.as_fd(), name: &name, keep: limit.keep };
            self.may_rename(&numbered)
        })
    }

    /// Checks what the permission to write in the directory does not show.
    fn may_rename(&self, numbered: &Numbered<'_>) -> io::Result<()> {
        if sys::is_append_only(numbered.directory)? {
            return Err(refused("the directory is append-only, chattr(1)"));
        }
        let directory = fstat(numbered.directory)?;
        let uid = self.account.map_or_else(geteuid, |account| account.uid);
        let takes_owner = directory.st_mode & libc::S_ISVTX != 0 && !uid.is_root() && directory.st_uid != uid.as_raw();
        for name in numbered.names()? {
            let file = fstatat(numbered.directory, &*name, AtFlags::AT_SYMLINK_NOFOLLOW);
            let is_kept = sys::is_kept_from_renames(numbered.directory, &name);
            let (Ok(file), Ok(is_kept)) = (file, is_kept) else { continue }; // another program may be rotating the log
            let of_number = (name != *numbered.name).then(|| shown(OsStr::from_bytes(name.as_bytes())).to_string());
            if is_kept {
                let it = of_number.as_deref().unwrap_or("it");
                return Err(refused(format!("{it} is append-only or immutable, chattr(1), or a mount point")));
            }
            if takes_owner && file.st_uid != uid.as_raw() {
                let file = of_number.as_deref().unwrap_or("the log");
                let why = format!("the directory is sticky, and neither it nor {file} belongs to the daemon's user");
                return Err(refused(why));
            }
        }
        Ok(())
    }
}

fn open_directory(root: &impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    sys::uninterrupted(|| Ok(openat(root, &from_root(path), trusted_path::DIRECTORY, Mode::empty())?))
}
