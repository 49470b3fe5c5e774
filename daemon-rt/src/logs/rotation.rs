//! The rotation of one log: beyond its limit, it gets a number, and a new file takes its place.

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::AtFlags,
    libc,
    sys::stat::{FileStat, Mode, fchmod, fstatat},
    unistd::{Gid, Uid, fchown, geteuid},
};

use super::{
    Log,
    complaint::Complaint,
    numbered::Numbered,
    open_log::{Opened, Refusal, for_appending, open_existing},
};
use crate::{
    Error,
    stdio::Limit,
    sys::{self, FileId, StandardStream},
    syslog,
};

/// How long another program may take for its rotation. Anybody who may read the log can also lock it, and could
/// otherwise let it grow for ever.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Rotation {
    program: String,
    limit: Limit,
    complaint: Complaint,
    /// Since when the log has been beyond its limit while another process has locked it.
    locked_since: Mutex<Option<Instant>>,
    /// If none is kept: the old log, until it is removed.
    unkept: Mutex<Option<FileId>>,
}

/// The result of an attempt.
enum Outcome {
    /// It is rotated, or does not need to be.
    Done,
    /// Somebody else has locked it.
    Waits,
}

impl Log {
    pub(crate) fn with_limit(mut self, limit: Limit, program: &str, what: String) -> Self {
        self.rotation = Some(Rotation {
            program: program.to_owned(),
            limit,
            complaint: Complaint::new(program, what),
            locked_since: Mutex::new(None),
            unkept: Mutex::new(None),
        });
        self
    }

    pub(crate) fn has_limit(&self) -> bool {
        self.rotation.is_some()
    }

    /// Rotates it if it is beyond its limit.
    pub(super) fn rotate(&self) {
        let Some(rotation) = &self.rotation else { return };
        let Some(stream) = self.own_streams().next() else { return rotation.complaint.forget() };
        match self.try_to_rotate(rotation, stream) {
            Ok(Outcome::Done) => rotation.complaint.settle(),
            Ok(Outcome::Waits) => {} // what was said before is still true
            Err(refusal) => {
                rotation.complaint.make(refusal, stream);
                if let Some(untold) = rotation.complaint.untold() {
                    syslog::say(&rotation.program, &untold);
                }
            }
        }
    }

    /// Whether the last attempt to rotate it failed.
    pub(super) fn result_of_rotation(&self) -> Result<(), Error> {
        self.rotation.as_ref().map_or(Ok(()), |rotation| rotation.complaint.result())
    }

    /// All this is done in one directory, by its descriptor, so it does not matter if the path leads elsewhere
    /// meanwhile.
    fn try_to_rotate(&self, rotation: &Rotation, stream: StandardStream) -> Result<Outcome, Refusal> {
        let directory = self.location.open_directory()?;
        let numbered = Numbered { directory: directory.as_fd(), name: self.location.name(), keep: rotation.limit.keep };
        let outcome = self.look(rotation, &numbered, stream)?;
        // Only now does this process no longer write to it. The new file may have been put in place by an earlier pass.
        let mut unkept = rotation.unkept();
        unkept.map_or(Ok(()), |log| numbered.remove_log(log))?;
        *unkept = None;
        Ok(outcome)
    }

    fn look(&self, rotation: &Rotation, numbered: &Numbered<'_>, stream: StandardStream) -> Result<Outcome, Refusal> {
        let directory = numbered.directory;
        let locked_since = rotation.locked_since().take();
        let current =
            sys::status_of(stream.as_raw_fd()).map_err(|error| Errno::try_from(error).unwrap_or(Errno::EIO))?;
        if !self.is_in_place(directory)? {
            return self.go_on(directory, &current).map(|()| Outcome::Done); // somebody else has rotated it
        }
        let size = u64::try_from(current.st_size).unwrap_or_default();
        if size <= rotation.limit.bytes {
            return Ok(Outcome::Done);
        }
        // This opens the file anew: children share the description of the streams, and would hold the lock as long as
        // they live.
        let lock = match open_existing(directory, self.location.name(), geteuid()) {
            // Somebody else is rotating it.
            Err(Refusal::System(Errno::ENOENT)) => return self.go_on(directory, &current).map(|()| Outcome::Done),
            opened => Lock(opened?.file),
        };
        if !lock.take() {
            let since = locked_since.unwrap_or_else(Instant::now);
            if since.elapsed() < PATIENCE {
                *rotation.locked_since() = Some(since);
                return Ok(Outcome::Waits);
            }
            *rotation.locked_since() = Some(since); // a lock that was held for too long is not waited for again
        }
        let is_ours = || self.is_in_place(directory); // not if another program was quicker
        if is_ours()? && numbered.rotate(is_ours)? && rotation.limit.keep == 0 {
            *rotation.unkept() = Some(FileId::of(&current));
        }
        self.go_on(directory, &current)?;
        *rotation.locked_since() = None;
        Ok(Outcome::Done)
    }

    /// Whether the name leads to the file that the streams have open.
    fn is_in_place(&self, directory: BorrowedFd<'_>) -> Result<bool, Refusal> {
        match fstatat(directory, self.location.name().as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(status) => Ok(self.in_place.is(FileId::of(&status))),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Goes on in the file that the name leads to now. If it is missing, it is created like the old one.
    fn go_on(&self, directory: BorrowedFd<'_>, old: &FileStat) -> Result<(), Refusal> {
        let nobody_elses = Mode::S_IRUSR | Mode::S_IWUSR; // until it is clear what others may do
        let opened = for_appending(directory, self.location.name(), geteuid(), nobody_elses)?;
        if opened.is_new {
            become_like(old, &opened);
        }
        self.put_in_place(opened)
    }
}

/// Gives the new file the mode of the old one, and its owner and group if this process may. If the group differs, it
/// gets no permissions.
fn become_like(old: &FileStat, new: &Opened) {
    let gid = Some(Gid::from_raw(old.st_gid)).filter(|gid| gid.as_raw() != new.status.st_gid);
    let is_same_group = gid.is_none() || fchown(&new.file, None, gid).is_ok();
    let uid = Some(Uid::from_raw(old.st_uid)).filter(|uid| uid.as_raw() != new.status.st_uid);
    if uid.is_some() {
        let _ = fchown(&new.file, uid, None);
    }
    let mode = Mode::from_bits_truncate(old.st_mode) & (Mode::S_IRWXU | Mode::S_IRWXG | Mode::S_IRWXO);
    // A file system with modes of its own may refuse.
    let _ = fchmod(&new.file, if is_same_group { mode } else { mode - Mode::S_IRWXG });
}

impl Rotation {
    fn locked_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.locked_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unkept(&self) -> MutexGuard<'_, Option<FileId>> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps other programs that write to the log from rotating it at the same time.
struct Lock(OwnedFd);

impl Lock {
    /// Whether it was free. If the file system has no locks, the others have none either.
    fn take(&self) -> bool {
        sys::lock(self.0.as_fd(), libc::LOCK_EX).unwrap_or(true)
    }
}

/// A worker that was forked meanwhile has a copy of the descriptor, and would hold the lock as long as it lives.
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = sys::lock(self.0.as_fd(), libc::LOCK_UN);
    }
}
