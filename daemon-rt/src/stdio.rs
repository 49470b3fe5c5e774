//! What a standard stream of the daemon is connected to.

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

/// What a standard stream of the daemon is connected to: the value of the options `stdin`, `stdout` and `stderr`.
///
/// A path converts to [`Stdio::append`]. An open [`File`] or `OwnedFd` is used as it is.
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
/// On systems without fork, `main` runs in the foreground and the streams stay what they are.
#[derive(Debug)]
pub struct Stdio {
    pub(crate) kind: Kind,
    /// With [`rotate`](Self::rotate).
    pub(crate) limit: Option<Limit>,
}

/// The size beyond which a log is rotated, and how many old logs are kept.
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
    /// The null device, null(4): reads return end of file, and writes are discarded. The default for stdin and stdout.
    #[must_use]
    pub const fn null() -> Self {
        Self::of(Kind::Null)
    }

    /// The launcher's own stream.
    ///
    /// If somebody waits for the end of that stream, as `x=$(program)` does, they wait until the daemon ends.
    #[must_use]
    pub const fn inherit() -> Self {
        Self::of(Kind::Inherit)
    }

    /// A file to append to. For `stdin`, a file to read from.
    ///
    /// A relative path starts from the directory where the program was launched. If the file is missing, it is created
    /// with mode 0640, whatever the umask is, and belongs to the [`user`](crate::Daemon::user) and
    /// [`group`](crate::Daemon::group) of the daemon. An existing file keeps its mode and owner. A FIFO needs a
    /// reader, open(2).
    ///
    /// A symbolic link is refused. So is another user's file with a second hard link. Otherwise, anyone who can create
    /// such a link in the log directory could make the daemon write to any file. More is refused if others may write in
    /// that directory, that is, if its mode permits the group or everybody, or if it belongs to neither root nor the
    /// daemon's user. They may have put the log itself there. So a file or FIFO is then refused if it belongs to
    /// neither root nor the daemon's user, or has a second hard link. Linux has some of these checks as
    /// `fs.protected_regular`, `fs.protected_fifos` and `fs.protected_hardlinks`, proc(5), but they may be turned off.
    ///
    /// If there is a `user`, and somebody other than root may write in a directory of the path, the file is opened with
    /// that user's rights and not with root's. So if a group may write in `/var/log` itself, use a directory below it.
    /// A sticky directory such as `/tmp` counts only if it is the last one in the path. The file is also opened as the
    /// user if root may not open it: on NFS with `root_squash`, exports(5), or on FUSE without `allow_root`,
    /// mount.fuse3(8).
    #[must_use]
    pub fn append(path: impl Into<PathBuf>) -> Self {
        Self::by_path(path.into(), false)
    }

    /// The same as [`append`](Self::append), but the start empties the file. It does so only after the launcher has
    /// checked everything that it can. If the start fails later, the file stays empty.
    #[must_use]
    pub fn truncate(path: impl Into<PathBuf>) -> Self {
        Self::by_path(path.into(), true)
    }

    /// Rotates the log: when it is larger than `bytes`, it is renamed, and the daemon goes on in a new file. Use it on
    /// machines without logrotate.
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
    /// `clockd.log` becomes `clockd.log.1`, `.1` becomes `.2`, and so on. At most `keep` old files are kept. Files with
    /// higher numbers are removed, up to the first gap in the numbers: after a change from 5 to 3, the next rotation
    /// removes `.4` and `.5`. If `keep` is 0, the log starts over: it is renamed to `.1`, and removed as soon as the
    /// new one is in place. No file is truncated. The new file has the mode of the old one, and also its owner and
    /// group if the daemon may give files to them.
    ///
    /// The new file takes over the descriptor of the old one, dup2(2), as with
    /// [`reopen_logs`](crate::Daemon::reopen_logs): by the same rules, and with the rights that the daemon has by then.
    /// If a thread calls write(2) meanwhile, all of its data is in one of the two files. Because the size is checked
    /// once a second, the log may be larger than `bytes` by what is written in a second.
    ///
    /// A thread of the daemon checks the size. It blocks all signals, and starts before `main`, after the privileges
    /// have changed. If the program must not have a second thread, for example because it forks, or puts only its own
    /// thread into a sandbox, [`rotate_logs`](crate::rotate_logs) ends this thread.
    ///
    /// If `stdout` and `stderr` are one file, they are rotated as one. If several programs write to one file, one of
    /// them rotates it, under a lock, flock(2), and the others follow within a second. During that second they write to
    /// a file with a number: set `keep` high enough that it is not removed meanwhile. If a program holds the lock for
    /// longer than five seconds, the others go on without it. When that program goes on, it does not replace or remove
    /// any log that is to be kept. If somebody else rotates the log, so that the path leads to another file or to none,
    /// the daemon reopens the path. So logrotate(8) may work on the same log; SIGHUP and
    /// [`reopen_logs`](crate::reopen_logs) do no harm. A child that was started before a rotation goes on writing to
    /// the old file.
    ///
    /// If a rotation fails, the old file stays in use, and one line in it says why. If the file takes no more, the line
    /// goes to the system's log. The rotation is tried again every second, and no further line is written until it
    /// succeeds. The oldest file is removed last, so that a failure loses no file. If something with a number is not a
    /// regular file, such as a link, it is neither moved nor replaced.
    ///
    /// If the daemon stays root, it opens the path again for each rotation, and follows links among its directories.
    /// Any user who may write in one of them can lead it to another directory. So use a directory that belongs to
    /// root, as must all directories above it.
    ///
    /// Devices and FIFOs do not grow, and are left alone. In the foreground nothing is rotated.
    ///
    /// # Errors
    ///
    /// The start fails if there is no path to rename (only [`append`](Self::append) and [`truncate`](Self::truncate)
    /// have one); if the stream is `stdin`; if `bytes` is 0; if `stdout` and `stderr` are one file with two limits; and
    /// if a rotation could not succeed. The daemon's user must be able to write to the log, and to rename and create
    /// files in its directory. In a [`chroot`](crate::Daemon::chroot), the log must be inside. Neither the log nor a
    /// file with its name and a number may be append-only or immutable, chattr(1), or a mount point. In a sticky
    /// directory that belongs to somebody else, they must belong to the daemon's user. The start also fails if no
    /// thread can be started.
    ///
    /// # Platform-specific behavior
    ///
    /// Only Linux shows such attributes and mount points beforehand. Only Linux can rename without replacing,
    /// renameat2(2), and not on NFS. Elsewhere, if a program is held up between its check and its rename, it may
    /// replace another program's file. On systems without fork, nothing is rotated.
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

    /// The path, if there is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Path(file) => Some(&file.path),
            Kind::Null | Kind::Inherit | Kind::File(_) => None,
        }
    }
}

#[cfg(unix)]
impl Limit {
    /// The limit of a file that is both streams.
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
