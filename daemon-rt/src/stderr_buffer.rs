//! A file in memory that takes the place of standard error, so that what is written can be read.
//!
//! A daemon whose standard error is the null device may fail to start, and whoever started it wants to read why. So it
//! has this file until it is ready. [`last_words`](crate::last_words) also uses one, to read what `main` ends with.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::FileExt,
    },
    time::Duration,
};

use nix::{
    libc,
    sys::resource::{RLIM_INFINITY, Resource, getrlimit},
};

use crate::sys::{self, StandardStream};

/// How much of a daemon's standard error is shown: the end, which matters most.
pub(crate) const SHOWN: u64 = 64 * 1024;

/// Stands before it if there was more.
pub(crate) const CUT: &str = "(only the last 64 KiB of standard error follow)";

/// How often to [`trim`](StderrBuffer::trim) it. A program that writes as fast as it can fills memory for this long.
pub(crate) const BETWEEN_TRIMS: Duration = Duration::from_millis(100);

pub(crate) struct StderrBuffer {
    file: File,
    null: File,
}

impl StderrBuffer {
    pub(crate) fn new(null: File) -> io::Result<Self> {
        Ok(Self { file: unlinked_file()?, null })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn install(&self) -> io::Result<()> {
        sys::redirect(StandardStream::Stderr, self.file.as_fd())
    }

    /// What was written to it, at most [`SHOWN`] of it.
    pub(crate) fn read_and_uninstall(self) -> io::Result<Vec<u8>> {
        let length = self.file.metadata().map_or(0, |metadata| metadata.len());
        let mut bytes = vec![0; usize::try_from(length.min(SHOWN)).unwrap_or(0)];
        let read = self.file.read_at(&mut bytes, 0);
        self.uninstall()?;
        bytes.truncate(read?);
        Ok(bytes)
    }

    /// Frees the memory of the text that will not be shown.
    pub(crate) fn trim(&self) {
        let length = self.file.metadata().map_or(0, |metadata| metadata.len());
        if let Some(unseen @ 1..) = length.checked_sub(SHOWN) {
            let _ = empty(&self.file, unseen); // an error only costs memory
        }
    }

    /// Puts the null device back, unless the program has replaced its standard error meanwhile, and frees the memory.
    ///
    /// A child that was started before still writes to the file, and that takes memory until the last such child has
    /// ended. There is no better way: a seal on the file, or a pipe without a reader, would end the child with an
    /// error. A socket that drops everything cannot be opened as `/dev/stderr`, and refuses long texts. And no process
    /// is left that could empty the file.
    pub(crate) fn uninstall(self) -> io::Result<()> {
        if !self.is_replaced() {
            sys::redirect(StandardStream::Stderr, self.null.as_fd())?;
        }
        self.file.set_len(0)
    }

    fn is_replaced(&self) -> bool {
        match [libc::STDERR_FILENO, self.file.as_raw_fd()].map(sys::file_id) {
            [Ok(current), Ok(own)] => current != own,
            [Err(error), _] => error.raw_os_error() == Some(libc::EBADF), // closed
            _ => false,
        }
    }
}

/// Whether a write to the file can end the program by SIGXFSZ, setrlimit(2). A write to the null device cannot.
pub(crate) fn has_limit() -> bool {
    getrlimit(Resource::RLIMIT_FSIZE).map_or(true, |(limit, _)| limit != RLIM_INFINITY)
}

/// Makes the beginning of the file a hole.
#[cfg(target_os = "linux")]
fn empty(file: &File, length: u64) -> io::Result<()> {
    use nix::fcntl::{FallocateFlags, fallocate};
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    Ok(fallocate(file, flags, 0, length.try_into().map_err(io::Error::other)?)?)
}

/// On these systems the file is on a disk, and takes no memory.
#[cfg(not(target_os = "linux"))]
fn empty(_: &File, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn unlinked_file() -> io::Result<File> {
    use nix::sys::memfd::{MFdFlags, memfd_create};
    Ok(memfd_create("stderr", MFdFlags::MFD_CLOEXEC)?.into())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn unlinked_file() -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // Anybody may have set TMPDIR. Every system has /tmp, POSIX XBD 10.1.
    let path = std::path::Path::new("/tmp").join(format!("stderr-{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}
