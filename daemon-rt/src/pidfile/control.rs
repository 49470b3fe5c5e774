//! Looking at the daemon that a pidfile names, and signalling it.

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use nix::libc;

use super::{
    Status, Stopped,
    content::Content,
    lock::{Lock, UNTIL_NAMED},
    open,
    process::Process,
};
use crate::{Error, sys};

/// How long a process may take to end after SIGKILL; only one that waits for a device takes any time.
const AFTER_KILL: Duration = Duration::from_secs(5);

enum Look {
    Missing,
    Unlocked(Content),
    Locked(File, Content),
}

pub(super) fn status(path: &Path) -> Result<Status, Error> {
    loop {
        return Ok(match look(path)? {
            Look::Missing | Look::Unlocked(Content::Empty) => Status::Stopped,
            Look::Unlocked(_) => Status::Stale,
            Look::Locked(_, Content::Empty) => Status::Starting,
            Look::Locked(file, content) => {
                let Some(process) = holder(path, &file, content)? else { continue };
                let since = file.metadata().and_then(|metadata| metadata.modified());
                Status::Running {
                    pid: process.pid.as_raw().unsigned_abs(),
                    since: since.map_err(|error| cannot("read the time of", path, error))?,
                }
            }
        });
    }
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
fn find(path: &Path) -> Result<Option<Process>, Error> {
    let deadline = Instant::now() + UNTIL_NAMED;
    loop {
        match look(path)? {
            Look::Missing | Look::Unlocked(_) => return Ok(None),
            Look::Locked(_, Content::Empty) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            Look::Locked(file, content) => {
                if let Some(process) = holder(path, &file, content)? {
                    return Ok(Some(process));
                }
            }
        }
    }
}

fn look(path: &Path) -> Result<Look, Error> {
    loop {
        let file = match open::for_reading(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::Missing),
            opened => opened.map_err(|error| cannot("open", path, error))?,
        };
        let unlocked = sys::lock(file.as_fd(), libc::LOCK_SH).map_err(|error| cannot("lock", path, error))?;
        if open::is_at(&file, path) {
            let content = Content::read(&file).map_err(|error| cannot("read", path, error))?;
            return Ok(if unlocked { Look::Unlocked(content) } else { Look::Locked(file, content) });
        }
    }
}

/// The process of that number, held, and then known to be the one that the file means; `None` where the file tells
/// something else by then, and wants another look.
fn holder(path: &Path, file: &File, content: Content) -> Result<Option<Process>, Error> {
    let wrong = |why: String| Error::new(format!("cannot tell who holds {}: {why}", path.display()));
    let pid = match content {
        Content::Pid(pid) => pid,
        Content::Empty => return Err(wrong("it names no process yet".into())),
        Content::Malformed => return Err(wrong("it holds something else than a process id".into())),
    };
    let process = Process::open(pid).map_err(|error| cannot("find the process of", path, error))?;
    let holds = process.as_ref().map_or(Ok(None), |process| process.holds(file));
    // The lock and the number, seen again now that the process is held: they were its own all the time.
    if !matches!(look(path)?, Look::Locked(_, again) if again == content) {
        return Ok(None);
    }
    let process = process.ok_or_else(|| wrong(format!("process {pid}, which it names, has ended")))?;
    if holds.map_err(|error| cannot("look at", path, error))? == Some(false) {
        return Err(wrong(format!("process {pid}, which it names, does not hold it open")));
    }
    Ok(Some(process))
}

fn send(process: &Process, signal: i32) -> Result<(), Error> {
    match process.signal(signal) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()), // it has just ended
        sent => sent.map_err(|error| Error::because(format!("cannot signal process {}", process.pid), error)),
    }
}

fn cannot(step: &str, path: &Path, error: io::Error) -> Error {
    Error::because(format!("cannot {step} {}", path.display()), error)
}
