//! Holding a pidfile. The lock says that a daemon runs: the kernel drops it with the last process that holds it,
//! however that ended. The number in the file only says who it is.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsFd, unix::fs::FileExt},
    path::{Path, PathBuf},
    process,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use nix::libc;

use super::{content::Content, control, open};
use crate::{Error, sys};

/// Who asks for the status holds the lock for a moment, and who starts has it a moment before the old number is gone.
pub(super) const A_LOOK: Duration = Duration::from_millis(100);

/// How long a process that holds the lock may take to say who it is.
pub(super) const UNTIL_NAMED: Duration = Duration::from_secs(2);

/// The lock belongs to the open file: the daemon has it from the launcher through its forks, flock(2), and children
/// that exec another program do not.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
    /// The process that is to remove the file: the launcher, and then the daemon.
    owner: u32,
}

enum Attempt {
    Locked(Lock),
    Held(Content),
    /// The file is not the one at that path any more.
    Replaced,
}

impl Lock {
    /// Locks the file, and empties it then: a file that somebody else holds is never touched.
    pub(crate) fn acquire(path: &Path) -> Result<Self, Error> {
        let start = Instant::now();
        loop {
            let attempt = open::for_locking(path).and_then(|(file, is_new)| Self::attempt(file, is_new, path));
            match attempt.map_err(|error| cannot_lock(path, error))? {
                Attempt::Locked(lock) => {
                    lock.file.set_len(0).map_err(|error| cannot_lock(path, error))?;
                    return Ok(lock);
                }
                Attempt::Replaced => {}
                Attempt::Held(content) => {
                    // Not earlier, although it would find the same: a look is over by then.
                    if start.elapsed() > A_LOOK && content != Content::Empty {
                        if let Ok(Some(holder)) = control::find(path) {
                            return Err(already_running(path, holder.number()));
                        }
                    }
                    if start.elapsed() > UNTIL_NAMED {
                        return Err(held_by_nobody(path, content));
                    }
                    thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    /// Removes what a daemon left that did not end by itself, if that is permitted.
    pub(super) fn remove_unheld(path: &Path) {
        // Not emptied first: it would look as if a start were under way.
        if let Ok(Attempt::Locked(lock)) = open::for_removal(path).and_then(|file| Self::attempt(file, false, path)) {
            lock.remove();
        }
    }

    fn attempt(file: File, is_new: bool, path: &Path) -> io::Result<Attempt> {
        let locked = sys::lock(file.as_fd(), libc::LOCK_EX);
        let spare = file.try_clone(); // who takes the file back opens it once more, when no other descriptor may be left
        if is_new && (locked.is_err() || spare.is_err()) {
            open::take_back(&file, path);
        }
        drop(spare?);
        if !locked? {
            return Ok(Attempt::Held(Content::read(&file)?));
        }
        if !open::is_at(&file, path) {
            return Ok(Attempt::Replaced);
        }
        Ok(Attempt::Locked(Self { file, path: path.to_owned(), owner: process::id() }))
    }

    /// Says who this process is, keeps the lock until it exits, and removes the file then: after `exit` and a panic
    /// too, and not in a child that was forked and exits.
    pub(crate) fn hold_until_exit(mut self) -> Result<(), Error> {
        let failed = |cannot: &str, error| Error::because(format!("{cannot} {}", self.path.display()), error);
        let process = process::id();
        let on_limit = sys::ignore(libc::SIGXFSZ); // a limit on the size of files is an error then, setrlimit(2)
        let written = self.file.write_all_at(format!("{process}\n").as_bytes(), 0);
        on_limit.restore();
        written.map_err(|error| failed("cannot write the process id to", error))?;
        sys::at_exit(remove_held).map_err(|error| failed("cannot see to the removal of", error))?;
        self.owner = process;
        *HELD.lock().unwrap_or_else(PoisonError::into_inner) = Some(self);
        Ok(())
    }

    /// Removes the file while it is locked: who opens it meanwhile finds that it is not at its path, and starts over.
    fn remove(&self) {
        if !open::is_at(&self.file, &self.path) || fs::remove_file(&self.path).is_err() {
            let _ = self.file.set_len(0); // its directory may be out of reach by now: nobody shall read a number in it
        }
    }
}

pub(crate) fn already_running(path: &Path, pid: u32) -> Error {
    Error::new(format!("cannot lock {}: already running as process {pid}", path.display()))
}

fn held_by_nobody(path: &Path, content: Content) -> Error {
    let why = match content {
        Content::Empty => "already starting as a process that has not written its number yet",
        _ => "it is held by a process that it does not name", // one that the daemon forked and left behind, for example
    };
    Error::new(format!("cannot lock {}: {why}", path.display()))
}

static HELD: Mutex<Option<Lock>> = Mutex::new(None);

/// The lock itself goes with the process.
extern "C" fn remove_held() {
    let Ok(held) = HELD.try_lock() else { return };
    if let Some(lock) = held.as_ref().filter(|lock| lock.owner == process::id()) {
        lock.remove();
    }
}

impl Drop for Lock {
    /// After a start that failed: removes the file, unless another of its processes lives on and holds it. The kernel
    /// tells that by another lock, once this process has given up its copy of the old one.
    fn drop(&mut self) {
        let Ok(again) = open::for_removal(&self.path) else { return };
        if !again.metadata().is_ok_and(|found| open::is(&self.file, &found)) {
            return;
        }
        self.file = again;
        // Who was killed may take a moment to end; who is not the launcher leaves it to that.
        let patience = if self.owner == process::id() { A_LOOK } else { Duration::ZERO };
        let start = Instant::now();
        loop {
            match sys::lock(self.file.as_fd(), libc::LOCK_EX) {
                Ok(true) => return self.remove(),
                Ok(false) if start.elapsed() < patience => thread::sleep(Duration::from_millis(5)),
                _ => return,
            }
        }
    }
}

fn cannot_lock(path: &Path, error: io::Error) -> Error {
    Error::because(format!("cannot lock {}", path.display()), error)
}
