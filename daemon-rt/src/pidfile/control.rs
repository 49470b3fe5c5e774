//! Looking at the daemon that a pidfile names, and signalling it.

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
    Status, Stopped,
    content::Content,
    lock::{A_LOOK, Lock, UNTIL_NAMED},
    open,
    process::Process,
};
use crate::{Error, sys};

const INIT: Pid = Pid::from_raw(1);

/// How long a process may take to end after SIGKILL; only one that waits for a device takes any time.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// One look at the file. A missing one is an empty one that nobody holds.
enum Look {
    Unlocked(Content),
    Locked(File, Content),
}

enum Seen {
    Nobody(Content),
    /// Somebody holds the file, and has not said who.
    Unnamed,
    Holder(Process, File),
}

pub(super) fn status(path: &Path) -> Result<Status, Error> {
    Ok(match seek(path, Duration::ZERO)? {
        Seen::Nobody(Content::Empty) => Status::Stopped,
        Seen::Nobody(_) => Status::Stale,
        Seen::Unnamed => Status::Starting,
        Seen::Holder(process, file) => {
            let since = file.metadata().and_then(|metadata| metadata.modified());
            Status::Running {
                pid: process.number(),
                since: since.map_err(|error| failed("cannot read the time of", path, error))?,
            }
        }
    })
}

pub(super) fn signal(path: &Path, signal: i32) -> Result<(), Error> {
    send(&running(path)?, signal)
}

pub(super) fn reload(path: &Path) -> Result<(), Error> {
    let process = running(path)?;
    if process.dies_of(libc::SIGHUP) {
        return Err(Error::new(format!("cannot reload process {}: it would end on SIGHUP", process.pid)));
    }
    send(&process, libc::SIGHUP)
}

pub(super) fn stop(path: &Path, timeout: Duration) -> Result<Stopped, Error> {
    let Some(process) = find(path)? else { return Ok(Stopped::NotRunning) };
    for (signal, time, stopped) in
        [(libc::SIGTERM, timeout, Stopped::Terminated), (libc::SIGKILL, AFTER_KILL, Stopped::Killed)]
    {
        send(&process, signal)?;
        let ended = process.wait(time);
        if ended.map_err(|error| Error::because(format!("cannot wait for process {}", process.pid), error))? {
            Lock::remove_unheld(path);
            return Ok(stopped);
        }
    }
    Err(Error::new(format!("cannot stop process {}: it does not end on SIGKILL", process.pid)))
}

fn running(path: &Path) -> Result<Process, Error> {
    find(path)?.ok_or_else(|| Error::new(format!("no daemon runs that holds {}", path.display())))
}

/// The process that holds the lock; one that is starting is waited for until it says who it is.
pub(super) fn find(path: &Path) -> Result<Option<Process>, Error> {
    match seek(path, UNTIL_NAMED)? {
        Seen::Nobody(_) => Ok(None),
        Seen::Unnamed => Err(cannot_tell(path, "it names no process yet")),
        Seen::Holder(process, _) => Ok(Some(process)),
    }
}

fn seek(path: &Path, until_named: Duration) -> Result<Seen, Error> {
    let start = Instant::now();
    loop {
        match look(path)? {
            Look::Unlocked(content) => return Ok(Seen::Nobody(content)),
            Look::Locked(_, Content::Empty) if start.elapsed() >= until_named => return Ok(Seen::Unnamed),
            Look::Locked(_, Content::Empty) => {}
            Look::Locked(file, content) => match holder(path, &file, content) {
                Ok(Some(process)) => return Ok(Seen::Holder(process, file)),
                Ok(None) => continue,
                Err(error) if start.elapsed() > A_LOOK => return Err(error),
                Err(_) => {}
            },
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn look(path: &Path) -> Result<Look, Error> {
    loop {
        let file = match open::for_reading(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::Unlocked(Content::Empty)),
            opened => opened.map_err(|error| failed("cannot open", path, error))?,
        };
        let unlocked = sys::lock(file.as_fd(), libc::LOCK_SH).map_err(|error| failed("cannot lock", path, error))?;
        if open::is_at(&file, path) {
            let content = Content::read(&file).map_err(|error| failed("cannot read", path, error))?;
            return Ok(if unlocked { Look::Unlocked(content) } else { Look::Locked(file, content) });
        }
    }
}

/// The process of that number, held, and then known to be the one that the file means; `None` where the file tells
/// something else by then, and wants another look.
fn holder(path: &Path, file: &File, content: Content) -> Result<Option<Process>, Error> {
    let Content::Pid(pid) = content else {
        return Err(cannot_tell(path, "it holds something else than a process id"));
    };
    let process = Process::open(pid).map_err(|error| failed("cannot find the process of", path, error))?;
    let holds = process.as_ref().and_then(|process| process.holds(file));
    // The lock and the number, seen again now that the process is held: they were its own all the time.
    if !matches!(look(path)?, Look::Locked(_, again) if again == content) {
        return Ok(None);
    }
    let process = process.ok_or_else(|| cannot_tell(path, &format!("process {pid}, which it names, has ended")))?;
    // To most, process 1 is init. In a container it may be the daemon, if it is seen to hold the file.
    if pid == INIT && holds != Some(true) {
        return Err(cannot_tell(path, "process 1, which it names, is not seen to hold it open"));
    }
    if holds == Some(false) {
        return Err(cannot_tell(path, &format!("process {pid}, which it names, does not hold it open")));
    }
    Ok(Some(process))
}

fn cannot_tell(path: &Path, why: &str) -> Error {
    Error::new(format!("cannot tell who holds {}: {why}", path.display()))
}

fn send(process: &Process, signal: i32) -> Result<(), Error> {
    match process.signal(signal) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()), // it has just ended
        sent => sent.map_err(|error| Error::because(format!("cannot signal process {}", process.pid), error)),
    }
}

fn failed(cannot: &str, path: &Path, error: io::Error) -> Error {
    Error::because(format!("{cannot} {}", path.display()), error)
}
