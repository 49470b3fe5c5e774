//! What a standard stream of the daemon is to be.

#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    path::{Path, PathBuf},
};

#[cfg(unix)]
use crate::Error;
use crate::start::streams::{OpenFiles, Opening, Reopening, RotateLogs};

/// What a standard stream of the daemon is to be: the value of `stdin`, `stdout` and `stderr`.
///
/// A path converts to [`Stdio::append`], an open [`File`] or `OwnedFd` to itself.
///
/// ```no_run
/// use daemon_rt::{Stdio, daemon};
///
/// #[daemon(stdout = "/var/log/clockd.log", stderr = Stdio::truncate("/var/log/clockd.err"))]
/// fn main() {}
/// ```
///
/// # Platform-specific behavior
///
/// Where there is no fork, `main` runs in the foreground and the streams stay what they are.
#[derive(Debug)]
pub struct Stdio {
    pub(crate) kind: Kind,
    /// With [`rotate`](Self::rotate).
    pub(crate) limit: Option<Limit>,
}

/// Beyond which size a log is rotated, and how many are kept of what it was before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) bytes: u64,
    pub(crate) keep: u32,
    pub(crate) code: &'static dyn Reopening,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Null,
    Inherit,
    Path(ByPath),
    File(File),
}

/// A file that the start opens.
#[derive(Debug)]
#[cfg_attr(not(unix), allow(dead_code, reason = "streams stay what they are"))]
pub(crate) struct ByPath {
    pub(crate) path: PathBuf,
    pub(crate) is_truncated: bool,
    pub(crate) opening: &'static dyn Opening,
}

impl Stdio {
    /// The null device, null(4): reads find the end, writes vanish. The default for stdin and stdout.
    #[must_use]
    pub const fn null() -> Self {
        Self::of(Kind::Null)
    }

    /// The launcher's own stream.
    ///
    /// Whoever waits for the end of that stream, as `x=$(program)` does, waits for the end of the daemon.
    #[must_use]
    pub const fn inherit() -> Self {
        Self::of(Kind::Inherit)
    }

    /// A file that is appended to; for `stdin`, one that is read from.
    ///
    /// A relative path starts from the directory in which the program was launched. A file that is missing is created
    /// with mode 0640, whatever the umask, and belongs to the [`user`](crate::Daemon::user) and
    /// [`group`](crate::Daemon::group) of the daemon; an existing one keeps its mode and owner. A FIFO needs a reader,
    /// open(2).
    ///
    /// A symbolic link is refused, and so is a file of somebody else's that has a second hard link: whoever can plant
    /// one in the log directory would have the daemon write to any file. Where others may write in that directory — its
    /// mode permits the group or all, or it belongs to neither root nor the daemon's user — they may have put the log
    /// itself there. So one that belongs to neither root nor the daemon's user is refused, a FIFO too, and any that has a
    /// second hard link. Linux has some of this as `fs.protected_regular`, `fs.protected_fifos` and
    /// `fs.protected_hardlinks`, proc(5), which need not be on.
    ///
    /// Where a `user` is given, and somebody but root may write in a directory of the path, the file is opened with
    /// that user's rights and not with root's: where `/var/log` itself is writable for a group, use a directory below
    /// it. A sticky directory such as `/tmp` counts only as the last one. It is also opened as the user where root may not:
    /// on NFS with `root_squash`, exports(5), or on FUSE without `allow_root`, mount.fuse3(8).
    #[must_use]
    pub fn append(path: impl Into<PathBuf>) -> Self {
        Self::by_path(path.into(), false)
    }

    /// As [`append`](Self::append), but what the file holds is thrown away by the start, once the launcher has checked
    /// all that it can: a start that fails behind that leaves the file empty.
    #[must_use]
    pub fn truncate(path: impl Into<PathBuf>) -> Self {
        Self::by_path(path.into(), true)
    }

    /// Rotates the log: beyond that many bytes it is renamed, and the daemon goes on in a new file. For a machine without
    /// logrotate.
    ///
    /// ```no_run
    /// use daemon_rt::{Stdio, daemon};
    ///
    /// #[daemon(stdout = Stdio::append("/var/log/clockd/clockd.log").rotate(10 << 20, 5))]
    /// fn main() {
    ///     println!("up");
    /// }
    /// ```
    ///
    /// `clockd.log` becomes `clockd.log.1`, what was `.1` becomes `.2`, and so on. At most `keep` of them are kept: files
    /// with higher numbers are removed as far as they follow without a gap: after a change from 5 to 3, `.4` and `.5` go at
    /// the next rotation. If `keep` is 0, the log starts over: it is renamed to `.1`, and removed as soon as the new one is in
    /// place. No file is truncated. The new file has the mode of the old one, and its owner and group if the daemon may
    /// give files to them.
    ///
    /// The new file takes the old one's place under the same descriptor, dup2(2), as by
    /// [`reopen_logs`](crate::Daemon::reopen_logs), by the same rules, and with the rights that the daemon has by then.
    /// What a thread writes by one write(2) meanwhile is whole in one of the two. The log is somewhat larger than `bytes`
    /// when it is renamed, by what is written in a second.
    ///
    /// A thread of the daemon looks once a second. It blocks all signals, and starts before `main`, after the privileges
    /// have changed. [`rotate_logs`](crate::rotate_logs) ends it, for a program that must not have a second thread: one that
    /// forks, or puts itself alone into a sandbox.
    ///
    /// If `stdout` and `stderr` are one file, they are rotated as one. If several programs write to one file, one of them
    /// rotates it, under a lock, flock(2), and the others follow within a second. During that second they write to a file
    /// with a number: let `keep` be large enough that it is not removed meanwhile. A program that holds the lock for longer
    /// than five seconds is not waited for. When it goes on, it replaces and removes nothing that is to be kept. As soon as
    /// the path leads to another file, or to none, because somebody else has rotated the log, the daemon goes on in what the
    /// path leads to. So logrotate(8) may work on the same log; SIGHUP and [`reopen_logs`](crate::reopen_logs) do no harm.
    /// A child that was started before goes on writing to the old file.
    ///
    /// If a rotation fails, the old file stays in use, and a line in it says why, once until it succeeds: in the system's
    /// log, if the file takes no more. Each second it is tried again. The oldest file goes last, so that a failure
    /// costs none. What has a number and is no regular file, such as a link, is neither moved nor replaced.
    ///
    /// A daemon that stays root opens the path anew for each rotation, follows links among its directories, and trusts
    /// whoever may write in one of them: that user can lead it to another directory. Give it a directory that is root's, as
    /// are those above it.
    ///
    /// A device or a FIFO does not grow, and is left alone. In the foreground nothing is rotated.
    ///
    /// # Errors
    ///
    /// The start fails if there is no path to rename: rotate [`append`](Self::append) or [`truncate`](Self::truncate); for
    /// `stdin`; if `bytes` is 0; if `stdout` and `stderr` are one file with two limits; and if a rotation could not
    /// succeed. The daemon's user must be able to write to the log, and to rename and create files in its directory. In a
    /// [`chroot`](crate::Daemon::chroot) the log must lie inside. Neither it nor what has its name and a number may be
    /// append-only or immutable, chattr(1), or a mount point; and in a sticky directory of somebody else's they must be the
    /// user's. And the start fails if there is no thread to be had.
    ///
    /// # Platform-specific behavior
    ///
    /// Only Linux tells of such attributes and of mount points before a rotation fails. Only Linux, and not on NFS, renames
    /// without replacing, renameat2(2): elsewhere a program that is held up between its look and its rename may replace
    /// another's file. Where there is no fork, nothing is rotated.
    #[must_use]
    pub fn rotate(mut self, bytes: u64, keep: u32) -> Self {
        self.limit = Some(Limit { bytes, keep, code: &RotateLogs });
        self
    }

    const fn of(kind: Kind) -> Self {
        Self { kind, limit: None }
    }

    fn by_path(path: PathBuf, is_truncated: bool) -> Self {
        Self::of(Kind::Path(ByPath { path, is_truncated, opening: &OpenFiles }))
    }

    /// The path, where there is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Path(file) => Some(&file.path),
            Kind::Null | Kind::Inherit | Kind::File(_) => None,
        }
    }
}

#[cfg(unix)]
impl Limit {
    /// That of a file which is both streams.
    pub(crate) fn common(one: Option<Self>, other: Option<Self>) -> Result<Option<Self>, Error> {
        match (one, other) {
            (Some(one), Some(other)) if (one.bytes, one.keep) != (other.bytes, other.keep) => {
                Err(Error::new("`stdout` and `stderr` are one file, and cannot be rotated in two ways"))
            }
            _ => Ok(one.or(other)),
        }
    }
}

impl Default for Stdio {
    fn default() -> Self {
        Self::null()
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Self {
        Self::of(Kind::File(file))
    }
}

#[cfg(unix)]
impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Self {
        Self::of(Kind::File(fd.into()))
    }
}

macro_rules! from_path {
    ($($path:ty),*) => {$(
        impl From<$path> for Stdio {
            fn from(path: $path) -> Self {
                Self::append(path)
            }
        }
    )*};
}

from_path!(&str, String, &String, &OsStr, OsString, &Path, PathBuf, &PathBuf);
