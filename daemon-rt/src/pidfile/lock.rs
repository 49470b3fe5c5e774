//! Holding a pidfile. The lock says that a daemon runs: the kernel drops it with the last process that holds it, however
//! that ended. The number in the file only says who it is.

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

use nix::{errno::Errno, libc, sys::signal::kill};

use super::{content::Content, open};
use crate::{Error, sys};

/// Somebody who asks for the status holds the lock for a moment.
const A_LOOK: Duration = Duration::from_millis(100);

/// How long a process that holds the lock may take to say who it is.
pub(super) const UNTIL_NAMED: Duration = Duration::from_secs(2);

/// The lock belongs to the open file: the daemon has it from the launcher through its forks, flock(2), and children
/// that exec another program do not.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
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
            match Self::attempt(path).map_err(|error| cannot_lock(path, error))? {
                Attempt::Locked(lock) => return Ok(lock),
                Attempt::Replaced => {}
                Attempt::Held(Content::Pid(pid))
                    if start.elapsed() > A_LOOK && kill(pid, None) != Err(Errno::ESRCH) =>
                {
                    return Err(already_running(path, pid.as_raw().unsigned_abs()));
                }
                Attempt::Held(_) if start.elapsed() > UNTIL_NAMED => {
                    return Err(Error::new(format!(
                        "cannot lock {}: already starting as a process that has not written its number yet",
                        path.display()
                    )));
                }
                Attempt::Held(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Removes what a daemon left that did not end by itself, if that is permitted.
    pub(super) fn remove_unheld(path: &Path) {
        if fs::symlink_metadata(path).is_ok() {
            let _ = Self::attempt(path); // dropped, a lock removes its file
        }
    }

    fn attempt(path: &Path) -> io::Result<Attempt> {
        let file = open::for_locking(path)?;
        if !sys::lock(file.as_fd(), libc::LOCK_EX)? {
            return Ok(Attempt::Held(Content::read(&file)?));
        }
        if !open::is_at(&file, path) {
            return Ok(Attempt::Replaced);
        }
        let lock = Self { file, path: path.to_owned() };
        lock.file.set_len(0)?;
        Ok(Attempt::Locked(lock))
    }

    /// Says who this process is, keeps the lock until it exits, and removes the file then: after `exit` and a panic too,
    /// and not in a child that was forked and exits.
    pub(crate) fn hold_until_exit(self) -> Result<(), Error> {
        let cannot = |step: &str, error| Error::because(format!("cannot {step} {}", self.path.display()), error);
        let process = process::id();
        self.file
            .write_all_at(format!("{process}\n").as_bytes(), 0)
            .map_err(|error| cannot("write the process id to", error))?;
        sys::at_exit(remove).map_err(|error| cannot("see to the removal of", error))?;
        *HELD.lock().unwrap_or_else(PoisonError::into_inner) = Some((process, self));
        Ok(())
    }
}

pub(crate) fn already_running(path: &Path, pid: u32) -> Error {
    Error::new(format!("cannot lock {}: already running as process {pid}", path.display()))
}

static HELD: Mutex<Option<(u32, Lock)>> = Mutex::new(None);

extern "C" fn remove() {
    if let Ok(mut held) = HELD.try_lock() {
        drop(held.take_if(|(owner, _)| *owner == process::id()));
    }
}

impl Drop for Lock {
    /// Removes the file while it is locked: who opens it meanwhile finds that it is not at its path, and starts over.
    fn drop(&mut self) {
        if !open::is_at(&self.file, &self.path) || fs::remove_file(&self.path).is_err() {
            let _ = self.file.set_len(0); // its directory may be out of reach by now: nobody shall read a number in it
        }
    }
}

fn cannot_lock(path: &Path, error: io::Error) -> Error {
    Error::because(format!("cannot lock {}", path.display()), error)
}
