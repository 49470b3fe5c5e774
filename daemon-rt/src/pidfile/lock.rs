//! Holding a pidfile. The lock says that a daemon runs: the kernel drops it with the last process that holds it,
//! however that ended. The number in the file only says who it is.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsFd, unix::fs::FileExt},
    path::{Path, PathBuf},
    process,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI32, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use nix::libc;

use super::{
    content::Content,
    holder,
    open::{self, KEEPS_BEING_REPLACED},
};
use crate::{Error, error::refused, sys, terminal::shown};

/// A status query holds the lock this long at most. A daemon that starts holds it a moment before the old number is gone.
pub(super) const A_LOOK: Duration = Duration::from_millis(100);

/// How long a process that holds the lock may take to say who it is: on a busy machine, a start has two forks before that.
pub(super) const UNTIL_NAMED: Duration = Duration::from_secs(5);

/// How long a file is looked at that says something, and not who holds it.
const UNTIL_CLEAR: Duration = Duration::from_secs(2);

/// The lock belongs to the open file: the daemon has it from the launcher through its forks, flock(2), and children
/// that exec another program do not.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Locked, and open for reading only: whoever takes over the daemon cannot write another process's number.
    file: File,
    /// Until the daemon gives up its privileges.
    writer: Option<File>,
    path: PathBuf,
    /// The process that is to remove the file: the launcher, and then the daemon.
    owner: u32,
}

/// What the exit removes.
struct Held {
    lock: Lock,
    /// Not 0 in this process. A worker that is process 1 of a pid namespace may have the number of a daemon that is, too.
    is_own: Option<&'static AtomicI32>,
}

enum Attempt {
    /// Open for reading.
    Locked(File),
    /// And what it says, unless that can be anybody's word.
    Held(io::Result<Content>),
    /// The file is not the one at that path any more.
    Replaced,
}

impl Lock {
    /// Locks the file, and empties it then: a file that somebody else holds is never touched.
    pub(crate) fn acquire(path: &Path) -> Result<Self, Error> {
        let start = Instant::now();
        loop {
            let (attempt, writer) = attempt(path).map_err(|error| cannot_lock(path, error))?;
            let elapsed = start.elapsed();
            match attempt {
                Attempt::Locked(file) => {
                    return Ok(Self { file, writer, path: path.to_owned(), owner: process::id() });
                }
                // On a file system whose inode numbers change, it would never end.
                Attempt::Replaced if elapsed > UNTIL_CLEAR => {
                    return Err(cannot_lock(path, refused(KEEPS_BEING_REPLACED)));
                }
                Attempt::Replaced => {}
                Attempt::Held(content) => {
                    // Not earlier, although it would find the same: a look is over by then.
                    if elapsed > A_LOOK && content.as_ref().is_ok_and(|content| *content != Content::Empty) {
                        if let Ok(Some(holder)) = holder::find(path) {
                            return Err(already_running(path, holder.number()));
                        }
                    }
                    let is_unnamed = matches!(content, Ok(Content::Empty | Content::Unfinished(_)));
                    if elapsed > if is_unnamed { UNTIL_NAMED } else { UNTIL_CLEAR } {
                        return Err(content
                            .map_or_else(|error| cannot_lock(path, error), |content| held_by_nobody(path, content)));
                    }
                    thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    /// Removes what a daemon left that did not end by itself, if that is permitted.
    pub(super) fn remove_unheld(path: &Path) {
        let Ok(file) = open::for_reading(path) else { return };
        if matches!(sys::lock(file.as_fd(), libc::LOCK_EX), Ok(true)) && open::is_at(&file, path) {
            let _ = fs::remove_file(path);
        }
    }

    /// Writes who this process is, which takes the privileges of the launch.
    pub(crate) fn name_this_process(&self) -> Result<(), Error> {
        let Some(writer) = &self.writer else { return Ok(()) };
        let on_limit = sys::ignore(libc::SIGXFSZ); // a limit on the size of files is an error then, setrlimit(2)
        let written = writer.write_all_at(format!("{}\n", process::id()).as_bytes(), 0);
        on_limit.restore();
        written.map_err(|error| Error::because(format!("cannot write the process id to {}", shown(&self.path)), error))
    }

    /// Keeps the lock until this process exits, and removes the file then: after `exit` and a panic too, and not in a
    /// child that was forked and exits. From now on, this process cannot write to the file.
    pub(crate) fn hold_until_exit(mut self) -> Result<(), Error> {
        sys::at_exit(remove_held)
            .map_err(|error| Error::because(format!("cannot arrange the removal of {}", shown(&self.path)), error))?;
        self.writer = None;
        self.owner = process::id();
        let _ = sys::lock_record(self.file.as_fd()); // evidence for who looks, and no condition
        let is_own = sys::wiped_on_fork().inspect(|is_own| is_own.store(1, Relaxed)).ok();
        *HELD.lock().unwrap_or_else(PoisonError::into_inner) = Some(Held { lock: self, is_own });
        Ok(())
    }

    /// Removes the file while it is locked: who opens it meanwhile finds that it is not at its path, and starts over.
    fn remove(&self) -> bool {
        open::is_at(&self.file, &self.path) && fs::remove_file(&self.path).is_ok()
    }
}

/// One attempt, and the file open for writing.
fn attempt(path: &Path) -> io::Result<(Attempt, Option<File>)> {
    let (writer, is_new) = match open::for_writing(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match open::create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok((Attempt::Replaced, None)),
            created => (created?, true),
        },
        opened => (opened?, false),
    };
    match lock(&writer, path) {
        Ok(attempt) => Ok((attempt, Some(writer))),
        Err(error) => {
            if is_new {
                open::take_back(&writer, path);
            }
            Err(error)
        }
    }
}

fn lock(writer: &File, path: &Path) -> io::Result<Attempt> {
    let file = match open::for_reading(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Attempt::Replaced),
        opened => opened?,
    };
    let is_locked = sys::lock(file.as_fd(), libc::LOCK_EX)?;
    if !open::are_the_same(&file, writer) || !open::is_at(&file, path) {
        return Ok(Attempt::Replaced);
    }
    let content = Content::read(&file)?;
    if !is_locked {
        // Its number is anybody's word. That a daemon runs is not: nobody shall remove the file and start a second one. And
        // another start may be about to replace it.
        let doubtful = |why| refused(format!("another process holds it, and {why}"));
        return Ok(Attempt::Held(open::refuse_words_of_others(&file).map_err(doubtful).map(|()| content)));
    }
    if content == Content::Foreign {
        return Err(refused("it holds something other than a process id"));
    }
    if open::is_loose(&file)? {
        // Somebody else may have it open by now, and lock it at any time: it is replaced while the lock is held.
        if fs::remove_file(path).is_ok() {
            return Ok(Attempt::Replaced);
        }
        open::refuse_words_of_others(&file)?;
        open::close_to_others(&file)?;
    }
    writer.set_len(0)?;
    Ok(Attempt::Locked(file))
}

pub(crate) fn already_running(path: &Path, pid: u32) -> Error {
    Error::new(format!("cannot lock {}: already running as process {pid}", shown(path)))
}

fn held_by_nobody(path: &Path, content: Content) -> Error {
    let why = match content {
        Content::Empty | Content::Unfinished(_) => "already starting as a process that has not written its number yet",
        _ => "it is held by a process that it does not name", // one that the daemon forked and left behind, for example
    };
    Error::new(format!("cannot lock {}: {why}", shown(path)))
}

static HELD: Mutex<Option<Held>> = Mutex::new(None);

/// The lock itself goes with the process. A file that may not be removed keeps its number: only the launcher's
/// privileges could change that.
extern "C" fn remove_held() {
    let Ok(held) = HELD.try_lock() else { return };
    if let Some(Held { lock, is_own }) = &*held {
        if lock.owner == process::id() && is_own.is_none_or(|is_own| is_own.load(Relaxed) != 0) {
            lock.remove();
        }
    }
}

impl Drop for Lock {
    /// After a start that failed: removes the file, unless another of its processes lives on and holds it. The kernel
    /// tells that by another lock, once this process has given up its copy of the old one.
    fn drop(&mut self) {
        let Some(writer) = self.writer.take() else { return };
        self.file = writer;
        // Who was killed may take a moment to end; who is not the launcher leaves it to that.
        let patience = if self.owner == process::id() { A_LOOK } else { Duration::ZERO };
        let start = Instant::now();
        loop {
            match sys::lock(self.file.as_fd(), libc::LOCK_EX) {
                Ok(true) => {
                    if !self.remove() {
                        let _ = self.file.set_len(0); // it may be out of reach by now: nobody shall read a number in it
                    }
                    return;
                }
                Ok(false) if start.elapsed() < patience => thread::sleep(Duration::from_millis(5)),
                _ => return,
            }
        }
    }
}

fn cannot_lock(path: &Path, error: io::Error) -> Error {
    Error::because(format!("cannot lock {}", shown(path)), error)
}
