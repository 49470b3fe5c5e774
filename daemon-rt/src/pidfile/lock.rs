//! Holds a pidfile. The lock means that a daemon runs: the kernel releases it when the last process that holds it ends,
//! however it ends. The number in the file only says which process it is.

use std::{
    fs::{self, File},
    io, mem,
    os::{
        fd::{AsFd, AsRawFd, RawFd},
        unix::fs::FileExt,
    },
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use nix::{
    libc,
    unistd::{Pid, getpid},
};

use super::{
    content::{self, Content},
    holder::{self, A_LOOK, Seen, UNTIL_CLEAR, UNTIL_NAMED},
    open_pidfile::{self, KEEPS_BEING_REPLACED},
};
use crate::{
    Error,
    error::refused,
    sys::{self, HeldFile, Record},
    terminal::shown,
};

/// The lock belongs to the open file description, flock(2), so the daemon inherits it from the launcher by fork. A
/// child that executes another program does not hold it.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Locked, and open only for reading, so that an attacker who takes over the daemon cannot write another process's
    /// id. On NFS, an ordinary user's file is also open for writing.
    file: File,
    /// Until the daemon gives up its privileges.
    writer: Option<File>,
    path: PathBuf,
    /// The launcher. Only it may wait for another process of a failed start.
    launcher: u32,
    /// The process that the file names, once it names one: the daemon or, with `respawn`, its supervisor.
    named: Option<Pid>,
    /// Whether the lock belongs to a running daemon that is being upgraded. If this start fails, that daemon goes on.
    is_anothers: bool,
}

enum Attempt {
    /// Open for reading.
    Locked(File),
    /// With its content, or with an error if others may have written it.
    Held(io::Result<Content>),
    /// The file is no longer the one at that path.
    Replaced,
}

impl Lock {
    /// Locks the file, and then empties it: a file that somebody else holds is never changed.
    ///
    /// If another start is in progress, waits for it for at most that time: it may fail, and otherwise its daemon is
    /// ready.
    pub(crate) fn acquire(path: &Path, patience: Duration) -> Result<Self, Error> {
        let mut start = Instant::now();
        let mut last_held = start;
        let deadline = start.checked_add(patience);
        let left = || deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        loop {
            let (attempt, writer) =
                sys::hold_back_termination(|| attempt(path)).map_err(|error| cannot_lock(path, error))?;
            let elapsed = start.elapsed();
            match attempt {
                Attempt::Locked(file) => {
                    return Ok(Self::new(file, writer, path, false));
                }
                // If the file system keeps changing the inode numbers, this would never end.
                Attempt::Replaced if last_held.elapsed() > UNTIL_CLEAR => {
                    return Err(cannot_lock(path, refused(KEEPS_BEING_REPLACED)));
                }
                Attempt::Replaced => {}
                Attempt::Held(content) => {
                    // Until then, the lock may be held by somebody who only looks at the file.
                    if elapsed > A_LOOK && content.as_ref().is_ok_and(|content| *content != Content::Empty) {
                        if let Ok(Seen::Holder(holder, file)) = holder::seek(path, UNTIL_NAMED) {
                            if !holder.ends_its_start_within(left(), &file) {
                                return Err(already_running(path, holder.number()));
                            }
                            (start, last_held) = (Instant::now(), Instant::now());
                            continue;
                        }
                    }
                    let is_unnamed = matches!(content, Ok(Content::Empty | Content::Unfinished(_)));
                    if elapsed > if is_unnamed { UNTIL_NAMED.max(patience) } else { UNTIL_CLEAR } {
                        return Err(content
                            .map_or_else(|error| cannot_lock(path, error), |content| held_by_nobody(path, content)));
                    }
                    last_held = Instant::now();
                    thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    /// The lock of a daemon that is being upgraded, through the file that its supervisor has open. The supervisor's
    /// number stays in the file until it lets go.
    pub(crate) fn take_over(file: File, path: &Path) -> Result<Self, Error> {
        let writer = open_pidfile::for_writing(path).and_then(|writer| {
            if !sys::are_the_same(file.as_raw_fd(), writer.as_raw_fd()) {
                return Err(refused("the daemon that is being upgraded holds another file"));
            }
            sys::lock(file.as_fd(), libc::LOCK_EX).map(|_| writer) // it holds it already, unless its daemon gave it up
        });
        let writer = writer.map_err(|error| cannot_lock(path, error))?;
        Ok(Self::new(file, Some(writer), path, true))
    }

    fn new(file: File, writer: Option<File>, path: &Path, is_anothers: bool) -> Self {
        Self { file, writer, path: path.to_owned(), launcher: process::id(), named: None, is_anothers }
    }

    /// Removes the file of a daemon that was killed, if that is permitted.
    pub(super) fn remove_unheld(path: &Path) {
        let Ok((file, is_locked)) = open_locked(path) else { return };
        if is_locked && open_pidfile::is_at(&file, path) {
            let _ = fs::remove_file(path);
        }
    }

    /// Writes the id of this process, unless the file names its supervisor. This needs the privileges of the launch.
    pub(crate) fn name_this_process(&mut self) -> Result<(), Error> {
        if self.named.is_some() {
            return Ok(());
        }
        self.named = Some(getpid());
        self.write(&format!("{}\n", process::id()))
    }

    /// The same in the leader, if it becomes the supervisor. In an upgrade, the file names the old supervisor until
    /// that lets go.
    pub(crate) fn name_supervisor(&mut self) -> Result<(), Error> {
        self.named = Some(getpid());
        if self.is_anothers { Ok(()) } else { self.write_supervisor() }
    }

    pub(crate) fn write_supervisor(&mut self) -> Result<(), Error> {
        self.is_anothers = false;
        self.write(&content::of_supervisor(process::id()))
    }

    fn write(&self, number: &str) -> Result<(), Error> {
        let Some(writer) = &self.writer else { return Ok(()) };
        let on_limit = sys::ignore(libc::SIGXFSZ); // a limit on the size of files is then an error, setrlimit(2)
        let written = writer.write_all_at(number.as_bytes(), 0);
        on_limit.restore();
        written.map_err(|error| Error::because(format!("cannot write the process id to {}", shown(&self.path)), error))
    }

    /// Keeps the lock until this process ends, and then removes the file: also after `exit`, a panic, SIGTERM or
    /// SIGINT. A forked child that ends does not remove it. From now on, this process cannot write to the file.
    ///
    /// The lock itself ends with the process. A file that may not be removed keeps its number, since changing that
    /// would need the launcher's privileges.
    ///
    /// If the file names the supervisor, it belongs to the supervisor, and stays locked as long as one of the two
    /// lives.
    pub(crate) fn hold_until_exit(self) -> Result<(), Error> {
        let own = getpid();
        if let Some(supervisor) = self.named.filter(|&named| named != own) {
            self.hold(Record::DaemonOf(supervisor));
            return Ok(());
        }
        remove_at_end(&self.file, &self.path).map_err(|error| cannot_lock(&self.path, error))?;
        self.hold(Record::Named(own));
        Ok(())
    }

    /// In the supervisor. It holds a record lock as well, because the daemon shares the other lock, and could give that
    /// up. The record lock would be lost if any descriptor of the file was closed.
    pub(crate) fn hold_as_supervisor(&self) {
        let _ = sys::lock_record(self.file.as_fd(), Record::Named(getpid()));
    }

    /// In a process that must not write its id.
    pub(crate) fn leave_number(&mut self) {
        self.writer = None;
    }

    /// The descriptor that holds the lock, and the one that writes the number.
    pub(crate) fn descriptors(&self) -> [Option<RawFd>; 2] {
        [Some(&self.file), self.writer.as_ref()].map(|file| file.map(AsRawFd::as_raw_fd))
    }

    /// Whether the file names this process.
    pub(crate) fn names_this_process(&self) -> bool {
        Content::read(&self.file).is_ok_and(|content| content == Content::Pid(getpid()))
    }

    fn hold(mut self, record: Record) {
        self.writer = None; // closing it later would give up the record lock
        let _ = sys::lock_record(self.file.as_fd(), record); // it helps others to see the holder, but is not required
        mem::forget(self);
    }

    /// This process also removes the file at its exit, and on SIGTERM and SIGINT.
    pub(crate) fn remove_at_end(&self) -> Result<(), Error> {
        if self.is_anothers {
            return Ok(());
        }
        let file = self.writer.as_ref().unwrap_or(&self.file);
        remove_at_end(file, &self.path).map_err(|error| cannot_lock(&self.path, error))
    }

    /// Closes this process's copy of the daemon's descriptor.
    pub(crate) fn leave_to_daemon(mut self) {
        self.writer = None;
    }

    /// When this process exits, if it holds a lock.
    pub(crate) fn release() {
        sys::remove_held_file();
    }

    /// Removes the file while it is locked. A process that has just opened it sees that it is no longer at its path,
    /// and starts over.
    pub(crate) fn remove(&self) -> bool {
        open_pidfile::is_at(&self.file, &self.path) && fs::remove_file(&self.path).is_ok()
    }

    /// After a failed start: removes the file, unless another process of this start lives on and holds it. To find out,
    /// this process closes its copy, and locks the file anew.
    fn abandon(&mut self) {
        let Some(writer) = self.writer.take().filter(|_| !self.is_anothers) else { return };
        self.file = writer;
        // A killed process may take a moment to end.
        let patience = if self.launcher == process::id() { A_LOOK } else { Duration::ZERO };
        let start = Instant::now();
        loop {
            match sys::lock(self.file.as_fd(), libc::LOCK_EX) {
                Ok(true) => {
                    if !self.remove() {
                        let _ = self.file.set_len(0); // out of reach by now; nobody should find a number in it
                    }
                    return;
                }
                Ok(false) if start.elapsed() < patience => thread::sleep(Duration::from_millis(5)),
                _ => return,
            }
        }
    }
}

/// A start can fail in many ways, such as by a panic in the program's `setup`, so no call could cover them all. A lock
/// that the daemon holds until its exit is not dropped.
impl Drop for Lock {
    fn drop(&mut self) {
        self.abandon();
        sys::leave_termination_alone();
    }
}

/// One attempt. The file is open for writing.
fn attempt(path: &Path) -> io::Result<(Attempt, Option<File>)> {
    let (writer, is_new) = match open_pidfile::for_writing(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match open_pidfile::create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok((Attempt::Replaced, None)),
            created => (created?, true),
        },
        opened => (opened?, false),
    };
    let locked = lock(&writer, path).and_then(|attempt| {
        if let Attempt::Locked(_) = attempt {
            remove_at_end(&writer, path)?;
        }
        Ok(attempt)
    });
    match locked {
        Ok(attempt) => Ok((attempt, Some(writer))),
        Err(error) => {
            if is_new {
                open_pidfile::take_back(&writer, path);
            }
            Err(error)
        }
    }
}

fn lock(writer: &File, path: &Path) -> io::Result<Attempt> {
    let (file, is_locked) = match open_locked(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Attempt::Replaced),
        opened => opened?,
    };
    let is_locked = is_locked && !has_supervisor(&file);
    if !sys::are_the_same(file.as_raw_fd(), writer.as_raw_fd()) || !open_pidfile::is_at(&file, path) {
        return Ok(Attempt::Replaced);
    }
    let content = Content::read(&file)?;
    if !is_locked {
        // Others may have written the number, but they cannot have taken the lock: a daemon runs, and the file must not
        // be replaced. Or another start is about to replace it.
        let doubtful = |why| refused(format!("another process holds it, and {why}"));
        return Ok(Attempt::Held(open_pidfile::refuse_words_of_others(&file).map_err(doubtful).map(|()| content)));
    }
    if content == Content::Foreign {
        return Err(refused("it holds something other than a process id"));
    }
    if open_pidfile::is_loose(&file)? {
        // Somebody else may have it open already, and could lock it at any time. So it is replaced while this process
        // holds the lock.
        if fs::remove_file(path).is_ok() {
            return Ok(Attempt::Replaced);
        }
        open_pidfile::refuse_words_of_others(&file)?;
        open_pidfile::close_to_others(&file)?;
    }
    writer.set_len(0)?;
    Ok(Attempt::Locked(file))
}

/// Opens the file for reading, and locks it if it is free.
///
/// From version 4 on, NFS locks only files that are open for writing, flock(2). An ordinary user's daemon may write to
/// the file anyway. A daemon that gave up root must not.
fn open_locked(path: &Path) -> io::Result<(File, bool)> {
    let mut file = open_pidfile::for_reading(path)?;
    let locked = match sys::lock(file.as_fd(), libc::LOCK_EX) {
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => {
            if open_pidfile::has_more_rights() {
                return Err(refused("its file system, like NFS, only locks files that are open for writing"));
            }
            file = open_pidfile::for_reading_and_writing(path)?;
            sys::lock(file.as_fd(), libc::LOCK_EX)
        }
        locked => locked,
    };
    Ok((file, locked?))
}

/// Whether another process holds the record lock, which a daemon cannot give up for its supervisor.
pub(super) fn has_supervisor(file: &File) -> bool {
    matches!(sys::record_locker(file.as_fd(), Record::AnyNamed), Ok(Some(_)))
}

/// Makes this process remove the file when it exits, or when SIGTERM or SIGINT ends it.
fn remove_at_end(file: &File, path: &Path) -> io::Result<()> {
    let file = HeldFile::new(file.as_fd(), path)?;
    release_at_exit()?;
    sys::handle_termination(Some(file));
    Ok(())
}

/// Once is enough, because a forked process inherits its parent's exit handlers.
fn release_at_exit() -> io::Result<()> {
    extern "C" fn release() {
        Lock::release();
    }
    static IS_REGISTERED: AtomicBool = AtomicBool::new(false);
    if !IS_REGISTERED.load(Relaxed) {
        sys::at_exit(release)?;
        IS_REGISTERED.store(true, Relaxed);
    }
    Ok(())
}

pub(crate) fn already_running(path: &Path, pid: u32) -> Error {
    Error::new(format!("cannot lock {}: already running as process {pid}", shown(path))).and_already_running(pid)
}

fn held_by_nobody(path: &Path, content: Content) -> Error {
    let why = match content {
        Content::Empty | Content::Unfinished(_) => "already starting; the process has not written its id yet",
        _ => "it is held by a process that it does not name", // for example, a worker that the daemon left behind
    };
    Error::new(format!("cannot lock {}: {why}", shown(path)))
}

fn cannot_lock(path: &Path, error: io::Error) -> Error {
    Error::because(format!("cannot lock {}", shown(path)), error)
}
