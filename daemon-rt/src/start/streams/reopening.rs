//! Checks in the launcher whether the daemon, as its user and in its root directory, will be able to reopen its logs.

use std::{
    fmt,
    fs::{self, File},
    io,
    os::fd::{AsFd, AsRawFd},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::AtFlags,
    sys::stat::SFlag,
    unistd::{AccessFlags, faccessat, geteuid},
};

use crate::{
    Error,
    logs::{
        self, Log,
        open_log::{Location, Opened},
    },
    privileges::Account,
    stdio::Limit,
    sys::{self, StandardStream},
    terminal::shown,
};

/// All code of the option `reopen_logs`, or of [`Stdio::rotate`](crate::Stdio::rotate). Only its setter refers to it,
/// so the linker leaves it out of a program that does not set the option.
pub(crate) trait Reopening: fmt::Debug + Sync {
    /// In the launcher: the log of this stream. None if nobody would rename it.
    fn prepare(&self, candidate: &Candidate<'_>, reopener: &Reopener<'_>) -> Result<Option<Log>, Error>;
    /// In the daemon: takes these logs, unless another option has.
    fn begin(&self, logs: &mut Vec<Log>) -> Result<(), Error>;
    /// In the foreground.
    fn leave_alone(&self);
}

#[derive(Debug)]
pub(crate) struct ReopenLogs;

impl Reopening for ReopenLogs {
    fn prepare(&self, candidate: &Candidate<'_>, reopener: &Reopener<'_>) -> Result<Option<Log>, Error> {
        reopener.log(candidate)
    }

    fn begin(&self, logs: &mut Vec<Log>) -> Result<(), Error> {
        logs::begin(logs);
        Ok(())
    }

    fn leave_alone(&self) {
        logs::leave_alone();
    }
}

/// Opens the logs once, as the daemon, in a process that the supervisor forked.
pub(crate) type OpenAnew = Box<dyn FnOnce()>;

/// What the daemon will be when it reopens its logs.
pub(crate) struct Reopener<'start> {
    /// For messages.
    pub(crate) program: &'start str,
    pub(crate) root: Option<&'start Path>,
    pub(crate) account: Option<&'start Account>,
}

/// A stream, or both, as the start opened it.
pub(crate) struct Candidate<'start> {
    pub(super) name: &'static str,
    pub(super) streams: &'static [StandardStream],
    pub(super) path: &'start Path,
    pub(super) file: &'start File,
    pub(super) is_new: bool,
    pub(super) limit: Option<Limit>,
}

/// What a daemon does that a supervisor started again. If it may not open its log, the supervisor's stays.
pub(crate) fn open_anew(candidates: &[Candidate<'_>], reopener: &Reopener<'_>, reopens_all: bool) -> OpenAnew {
    let (mut reopens, mut logs) = (false, Vec::new());
    for candidate in candidates {
        if reopens_all || candidate.limit.is_some() {
            reopens = true;
        } else if let Some(location) = reopener.location(candidate) {
            logs.push((location, candidate.streams));
        }
    }
    Box::new(move || {
        if reopens {
            let _ = logs::reopen_logs(); // which writes the error to the log
        }
        for (location, streams) in logs {
            if let Ok(Opened { file, .. }) = location.open(geteuid()) {
                for &stream in streams {
                    let _ = sys::redirect(stream, file.as_fd());
                }
            }
        }
    })
}

impl Reopener<'_> {
    /// Where a log is, if somebody may rename it.
    fn location(&self, candidate: &Candidate<'_>) -> Option<Location> {
        let status = sys::status_of(candidate.file.as_raw_fd()).ok()?;
        let is_file = sys::kind_of(&status) == SFlag::S_IFREG;
        let path = self.root.map_or_else(|| Ok(candidate.path.to_owned()), |root| inside(root, candidate.path));
        path.ok().filter(|_| is_file).and_then(|path| Location::of(&path).ok())
    }

    /// The log that the daemon reopens. None if nobody would rename it, such as a terminal or another device.
    pub(super) fn log(&self, candidate: &Candidate<'_>) -> Result<Option<Log>, Error> {
        let Candidate { name, streams, path, file, is_new, .. } = *candidate;
        let what = format!("cannot reopen {name} {}", shown(path));
        let because = |error| Error::because(what.clone(), error);
        let status = sys::status_of(file.as_raw_fd()).map_err(because)?;
        if ![SFlag::S_IFREG, SFlag::S_IFIFO].contains(&sys::kind_of(&status)) {
            return Ok(None);
        }
        let path_in_daemon = self.path_in_daemon(path).map_err(because)?;
        self.ask(&path_in_daemon, &what, is_new)?;
        let location = Location::of(&path_in_daemon).map_err(|error| because(error.into()))?;
        let pin = file.as_fd().try_clone_to_owned().map_err(because)?;
        Ok(Some(Log::new(self.program, name, streams, &shown(path).to_string(), location, &status, pin)))
    }

    pub(super) fn path_in_daemon(&self, path: &Path) -> io::Result<PathBuf> {
        self.root.map_or_else(|| Ok(path.to_owned()), |root| inside(root, path))
    }

    /// The root directory, to look from there: the user need not be allowed to enter what is above it.
    pub(super) fn open_root(&self) -> io::Result<File> {
        File::open(self.root.unwrap_or(Path::new("/")))
    }

    /// A rotation renames the file. If the start created it, the user will have to create the next one, and needs
    /// permission in the directory. If it existed, whatever created it creates the next one, and the user needs
    /// permission to write to it.
    fn ask(&self, path: &Path, what: &str, is_new: bool) -> Result<(), Error> {
        let Some(account) = self.account else { return Ok(()) };
        let directory = path.parent().unwrap_or(path);
        let (object, rights) =
            if is_new { (directory, AccessFlags::W_OK | AccessFlags::X_OK) } else { (path, AccessFlags::W_OK) };
        let root = self.open_root().map_err(|error| Error::because(what.to_owned(), error))?;
        let object = from_root(object);
        let answer = account.act(|| Ok(faccessat(&root, &object, rights, AtFlags::AT_EACCESS)?))?;
        answer.map_err(|error| {
            let (what_not, remedy) = if is_new {
                (format!("created in {} after a rotation", shown(directory)), "a directory that belongs to that user")
            } else {
                ("written to".to_owned(), "to that user")
            };
            let why = format!("it cannot be {what_not}: {error}; give it {remedy}");
            Error::because(format!("{what} as {account}"), io::Error::new(error.kind(), why))
                .withhold_all_but(what.to_owned())
        })
    }
}

/// As seen from the root directory.
pub(super) fn from_root(path: &Path) -> PathBuf {
    Path::new(".").join(path.strip_prefix("/").unwrap_or(path))
}

/// The path as it is inside the root directory. Links are resolved here, because from inside they would lead elsewhere.
fn inside(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::IsADirectory.into());
    };
    let (root, directory) = (fs::canonicalize(root)?, fs::canonicalize(directory)?);
    match directory.strip_prefix(&root) {
        Ok(directory) => Ok(Path::new("/").join(directory).join(name)),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("it lies outside the root directory {}, and cannot be opened from inside", shown(&root)),
        )),
    }
}
