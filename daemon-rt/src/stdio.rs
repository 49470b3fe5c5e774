//! What a standard stream of the daemon is to be.

#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    path::{Path, PathBuf},
};

use crate::start::streams::{OpenFiles, Opening};

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
pub struct Stdio(pub(crate) Kind);

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
        Self(Kind::Null)
    }

    /// The launcher's own stream.
    ///
    /// Whoever waits for the end of that stream, as `x=$(program)` does, waits for the end of the daemon.
    #[must_use]
    pub const fn inherit() -> Self {
        Self(Kind::Inherit)
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

    fn by_path(path: PathBuf, is_truncated: bool) -> Self {
        Self(Kind::Path(ByPath { path, is_truncated, opening: &OpenFiles }))
    }

    /// The path, where there is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Path(file) => Some(&file.path),
            Kind::Null | Kind::Inherit | Kind::File(_) => None,
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
        Self(Kind::File(file))
    }
}

#[cfg(unix)]
impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Self {
        Self(Kind::File(fd.into()))
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
