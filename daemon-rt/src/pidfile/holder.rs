//! Who holds a pidfile, by all the evidence that there is.

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use nix::{libc, unistd::Pid};

use super::{
    content::{self, Content},
    lock,
    named_process::Process,
    open_pidfile::{self, KEEPS_BEING_REPLACED},
};
use crate::{
    Error,
    error::refused,
    sys::{self, Record},
    terminal::shown,
};

/// This is init, except in a container, where it may be the daemon.
const INIT: Pid = Pid::from_raw(1);

/// Whether the kernel shows every caller who holds the file. On other systems, the number may have to be trusted.
const IS_TOLD: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// How long somebody who only looks at the file may hold the lock.
pub(super) const A_LOOK: Duration = Duration::from_millis(100);

/// How long a process that holds the lock may take to write its number: a start forks twice before it does, and the
/// machine may be busy.
pub(super) const UNTIL_NAMED: Duration = Duration::from_secs(5);

/// How long a start that has just locked the file may take to erase the old number.
const UNTIL_ERASED: Duration = Duration::from_millis(500);

/// How long to retry if the file keeps being replaced.
pub(super) const UNTIL_CLEAR: Duration = Duration::from_secs(2);

/// The exit status of the Linux Standard Base for a caller without permission.
const INSUFFICIENT_PRIVILEGE: u8 = 4;

/// What one look at the file finds. A missing file counts as empty and unlocked.
enum Look {
    Unlocked(Content),
    Locked(File, Content),
}

/// The process that holds the file, and its daemon if it is a supervisor.
pub(super) type Found = Option<(Process, Option<Process>)>;

pub(super) enum Seen {
    Nobody(Content),
    /// Somebody holds the file, but has not written a number yet.
    Unnamed,
    Holder(Process, File),
}

/// The daemon of the process that the file names, if that process is a supervisor.
pub(super) fn daemon_of(process: &Process, file: &File) -> Option<Pid> {
    sys::record_locker(file.as_fd(), Record::DaemonOf(process.pid)).ok().flatten()
}

/// The process that holds the lock, and its daemon if it is a supervisor. A process that is starting gets the time to
/// write its number.
pub(super) fn find(path: &Path) -> Result<Found, Error> {
    match seek(path, UNTIL_NAMED)? {
        Seen::Nobody(_) => Ok(None),
        Seen::Unnamed => Err(cannot_tell(path, "it names no process yet")),
        Seen::Holder(process, file) => {
            let daemon = daemon_of(&process, &file).and_then(|pid| Process::open(pid).ok().flatten());
            // From here on, no other process can get the number.
            let daemon = daemon.filter(|daemon| daemon_of(&process, &file) == Some(daemon.pid));
            Ok(Some((process, daemon)))
        }
    }
}

/// The same once it shows what they do with signals, if that is soon: a start blocks all of them, and a supervisor may be
/// between two daemons.
pub(super) fn find_started(path: &Path) -> Result<Found, Error> {
    let start = Instant::now();
    loop {
        let found = find(path)?;
        let is_started = found.as_ref().is_none_or(|(process, daemon)| {
            let all = || [Some(process), daemon.as_ref()].into_iter().flatten();
            !all().any(Process::blocks_all_signals) && (daemon.is_some() || !content::names_supervisor(path))
        });
        if is_started || start.elapsed() > UNTIL_NAMED {
            return Ok(found);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

pub(super) fn seek(path: &Path, until_named: Duration) -> Result<Seen, Error> {
    let start = Instant::now();
    loop {
        let (file, content) = match look(path)? {
            Look::Unlocked(content) => return Ok(Seen::Nobody(content)),
            Look::Locked(file, content) => (file, content),
        };
        let elapsed = start.elapsed();
        match (holder(path, &file, content), content) {
            (Ok(Some(process)), _) => return Ok(Seen::Holder(process, file)),
            (_, Content::Empty | Content::Unfinished(_)) if elapsed < until_named => {}
            (_, Content::Empty | Content::Unfinished(_)) => return Ok(Seen::Unnamed),
            (Ok(None), _) if elapsed < UNTIL_NAMED => {} // daemons that follow one another on a busy machine
            (Ok(None), _) => return Err(cannot_tell(path, "it keeps changing")),
            (Err(_), _) if elapsed < UNTIL_ERASED => {}
            (Err(error), _) => return Err(error),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn look(path: &Path) -> Result<Look, Error> {
    let start = Instant::now();
    loop {
        let file = match open_pidfile::for_reading(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::Unlocked(Content::Empty)),
            opened => opened.and_then(|file| open_pidfile::refuse_words_of_others(&file).map(|()| file)),
        };
        let file = file.map_err(|error| failed("cannot open", path, error))?;
        let is_unlocked = sys::lock(file.as_fd(), libc::LOCK_SH).map_err(|error| failed("cannot lock", path, error))?;
        let is_free = is_unlocked && !lock::has_supervisor(&file);
        if open_pidfile::is_at(&file, path) {
            let content = Content::read(&file).map_err(|error| failed("cannot read", path, error))?;
            return Ok(if is_free { Look::Unlocked(content) } else { Look::Locked(file, content) });
        }
        // If the file system keeps changing the inode numbers, this would never end.
        if start.elapsed() > UNTIL_CLEAR {
            return Err(failed("cannot open", path, refused(KEEPS_BEING_REPLACED)));
        }
    }
}

/// The process that the content names, if it is seen to hold the file. `None` if the content has changed meanwhile, so
/// that another look is needed.
fn holder(path: &Path, file: &File, content: Content) -> Result<Option<Process>, Error> {
    let (Content::Pid(pid) | Content::Unfinished(pid)) = content else {
        return Err(cannot_tell(path, "it holds something other than a process id"));
    };
    let process = Process::open(pid).map_err(|error| failed("cannot find the process of", path, error))?;
    let holds = process.as_ref().and_then(|process| process.holds(file));
    // From here on, no other process can get the number. If lock and content are still the same, the file means this
    // process.
    if !matches!(look(path)?, Look::Locked(_, again) if again == content) {
        return Ok(None);
    }
    let cannot_tell = |what| Err(cannot_tell(path, &format!("process {pid}, which it names, {what}")));
    let may_be_believed = !IS_TOLD && pid != INIT && matches!(content, Content::Pid(_));
    match (process, holds) {
        (None, _) => cannot_tell("has ended"),
        (Some(_), Some(false)) if pid != INIT => cannot_tell("does not hold it open"),
        (Some(_), None | Some(false)) if !may_be_believed => cannot_tell("cannot be seen to hold it open"),
        (process, _) => Ok(process),
    }
}

fn cannot_tell(path: &Path, why: &str) -> Error {
    Error::new(format!("cannot tell who holds {}: {why}", shown(path)))
}

pub(super) fn failed(cannot: &str, path: &Path, error: io::Error) -> Error {
    refused_by_system(format!("{cannot} {}", shown(path)), error)
}

pub(super) fn refused_by_system(cannot: String, error: io::Error) -> Error {
    let is_denied = error.kind() == io::ErrorKind::PermissionDenied;
    Error::because(cannot, error).and_exit_status(if is_denied { INSUFFICIENT_PRIVILEGE } else { 1 })
}
