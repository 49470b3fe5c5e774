//! What the two kinds of start have in common. In the foreground, one process takes all these steps. With a detach, the
//! launcher prepares them and the daemon applies them.

use std::{mem, os::fd::RawFd, time::Duration};

use super::{filesystem::FsContext, instance, sd_notify::Manager};
use crate::{Daemon, Error, pidfile::Lock, privileges::Privileges, threads::SingleThread};

/// When it is dropped, it gives up the lock and removes the pidfile.
pub(crate) struct Common {
    pub(crate) filesystem: FsContext,
    pub(crate) privileges: Privileges,
    pub(crate) manager: Option<Manager>,
    lock: Option<Lock>,
}

impl Common {
    /// In the launcher: opens and checks whatever can fail.
    pub(crate) fn new(daemon: &mut Daemon) -> Result<Self, Error> {
        let privileges = Privileges::new(daemon.identity.as_ref(), daemon.no_new_privs)?;
        Ok(Self {
            filesystem: FsContext::new(daemon, privileges.another_account())?,
            privileges,
            manager: Manager::connect(daemon)?,
            lock: instance::take_lock(daemon, Duration::ZERO)?, // last, because only this changes a file
        })
    }

    /// In the leader: changes directory and umask for the daemon, which inherits them.
    ///
    /// A new root directory is left to the daemon: from inside, the leader could not remove what was created outside. A
    /// directory that has to be entered as another user is left to the daemon, too.
    pub(crate) fn enter_filesystem_in_leader(&mut self) -> Result<(), Error> {
        if self.filesystem.root.is_some() || self.privileges.another_account().is_some() {
            return Ok(());
        }
        let filesystem = mem::take(&mut self.filesystem);
        filesystem.enter()?;
        filesystem.change_directory(None)
    }

    /// In the leader, if it becomes the supervisor: the pidfile names it, not the daemon.
    pub(crate) fn name_supervisor(&mut self) -> Result<(), Error> {
        self.lock.as_mut().map_or(Ok(()), Lock::name_supervisor)
    }

    /// In the supervisor, if the file does not have its number yet, or no longer.
    pub(crate) fn write_supervisor(&mut self) -> Result<(), Error> {
        self.lock.as_mut().map_or(Ok(()), Lock::write_supervisor)
    }

    /// In the supervisor, once the daemon is ready.
    pub(crate) fn hold_as_supervisor(&mut self) {
        self.filesystem.leave_launch_directory();
        self.lock_as_supervisor();
    }

    pub(crate) fn lock_as_supervisor(&self) {
        if let Some(lock) = &self.lock {
            lock.hold_as_supervisor();
        }
    }

    /// In the supervisor: its open descriptors of the pidfile.
    pub(crate) fn pidfile(&self) -> [Option<RawFd>; 2] {
        self.lock.as_ref().map(Lock::descriptors).unwrap_or_default()
    }

    /// In the supervisor, before it ends. The file may already name its successor.
    pub(crate) fn remove_pidfile(&self) {
        if let Some(lock) = self.lock.as_ref().filter(|lock| lock.names_this_process()) {
            lock.remove();
        }
    }

    /// In a process that the supervisor forked to write a line to the daemon's log: applies what decides which file
    /// that is.
    pub(crate) fn apply_for_log(&mut self, thread: &SingleThread) -> Result<(), Error> {
        self.lock.as_mut().map(Lock::leave_number);
        self.filesystem.enter()?;
        if self.privileges.are_to_change() { self.privileges.drop_for_good(thread) } else { Ok(()) }
    }

    /// Whether [`apply`](Self::apply) has anything to do.
    pub(crate) fn has_steps_left(&self) -> bool {
        self.filesystem.root.is_some() || self.privileges.are_to_change() || self.lock.is_some()
    }

    /// In the process that runs `main`. After an error, it must not run `main`. `thread` is called if privileges
    /// change.
    pub(crate) fn apply(&mut self, thread: impl FnOnce() -> Result<SingleThread, Error>) -> Result<(), Error> {
        self.filesystem.enter()?;
        self.lock.as_mut().map_or(Ok(()), Lock::name_this_process)?;
        if self.privileges.are_to_change() {
            self.privileges.drop_for_good(&thread()?)?;
        }
        self.filesystem.change_directory(self.privileges.another_account())?;
        self.lock.take().map_or(Ok(()), Lock::hold_until_exit)
    }
}
