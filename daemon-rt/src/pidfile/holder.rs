//! Who holds a pidfile, by every evidence that there is.

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
    content::Content,
    lock::{A_LOOK, UNTIL_NAMED},
    open::{self, KEEPS_BEING_REPLACED},
    process::Process,
};
use crate::{Error, error::refused, sys, terminal::shown};

/// To most, process 1 is init. In a container it may be the daemon.
const INIT: Pid = Pid::from_raw(1);

/// Whether the kernel tells every caller who holds the file: elsewhere, a number may have to be taken at its word.
const IS_TOLD: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// One look at the file. A missing one is an empty one that nobody holds.
enum Look {
    Unlocked(Content),
    Locked(File, Content),
}

pub(super) enum Seen {
    Nobody(Content),
    /// Somebody holds the file, and has not said who.
    Unnamed,
    Holder(Process, File),
}

/// The process that holds the lock. One that is starting gets the time to say who it is.
pub(super) fn find(path: &Path) -> Result<Option<Process>, Error> {
    match seek(path, UNTIL_NAMED)? {
        Seen::Nobody(_) => Ok(None),
        Seen::Unnamed => Err(cannot_tell(path, "it names no process yet")),
        Seen::Holder(process, _) => Ok(Some(process)),
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
            // Whoever starts holds the lock a moment before the old number is gone.
            (_, _) if elapsed <= A_LOOK => {}
            (Ok(None), _) => return Err(cannot_tell(path, "it keeps changing")),
            (Err(error), _) => return Err(error),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn look(path: &Path) -> Result<Look, Error> {
    let start = Instant::now();
    loop {
        let file = match open::for_reading(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::Unlocked(Content::Empty)),
            opened => opened.and_then(|file| open::refuse_words_of_others(&file).map(|()| file)),
        };
        let file = file.map_err(|error| failed("cannot open", path, error))?;
        let is_free = sys::lock(file.as_fd(), libc::LOCK_SH).map_err(|error| failed("cannot lock", path, error))?;
        if open::is_at(&file, path) {
            let content = Content::read(&file).map_err(|error| failed("cannot read", path, error))?;
            return Ok(if is_free { Look::Unlocked(content) } else { Look::Locked(file, content) });
        }
        // On a file system whose inode numbers change, it would never end.
        if start.elapsed() > A_LOOK {
            return Err(failed("cannot open", path, refused(KEEPS_BEING_REPLACED)));
        }
    }
}

/// The process of that number, held, and then known to be the one that the file means; `None` where the file tells
/// something else by then, and wants another look.
fn holder(path: &Path, file: &File, content: Content) -> Result<Option<Process>, Error> {
    let (Content::Pid(pid) | Content::Unfinished(pid)) = content else {
        return Err(cannot_tell(path, "it holds something other than a process id"));
    };
    let process = Process::open(pid).map_err(|error| failed("cannot find the process of", path, error))?;
    let holds = process.as_ref().and_then(|process| process.holds(file));
    // The lock and the number, seen again now that the process is held: they were its own all the time.
    if !matches!(look(path)?, Look::Locked(_, again) if again == content) {
        return Ok(None);
    }
    let cannot_tell = |what| Err(cannot_tell(path, &format!("process {pid}, which it names, {what}")));
    let may_be_believed = !IS_TOLD && pid != INIT && matches!(content, Content::Pid(_));
    match (process, holds) {
        (None, _) => cannot_tell("has ended"),
        (Some(_), Some(false)) if pid != INIT => cannot_tell("does not hold it open"),
        (Some(_), None | Some(false)) if !may_be_believed => cannot_tell("is not seen to hold it open"),
        (process, _) => Ok(process),
    }
}

fn cannot_tell(path: &Path, why: &str) -> Error {
    Error::new(format!("cannot tell who holds {}: {why}", shown(path)))
}

pub(super) fn failed(cannot: &str, path: &Path, error: io::Error) -> Error {
    Error::because(format!("{cannot} {}", shown(path)), error)
}
