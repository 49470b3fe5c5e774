//! A daemon whose stderr is null may still fail to start, and whoever started it wants to read why: until it is ready,
//! a file in memory stands in for the null device.

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

use super::shown::SHOWN;
use crate::sys::{self, StandardStream};

/// How often to [`trim`](StandIn::trim) it: a program that writes as fast as it can has so long to fill memory.
pub(crate) const BETWEEN_TRIMS: Duration = Duration::from_millis(100);

pub(crate) struct StandIn {
    file: File,
    null: File,
}

impl StandIn {
    pub(crate) fn new(null: File) -> io::Result<Self> {
        Ok(Self { file: unlinked_file()?, null })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn put_in_place(&self) -> io::Result<()> {
        sys::redirect(StandardStream::Stderr, self.file.as_fd())
    }

    /// What was written to it, as far as it is shown.
    pub(crate) fn read_and_put_away(self) -> io::Result<Vec<u8>> {
        let length = self.file.metadata().map_or(0, |metadata| metadata.len());
        let mut bytes = vec![0; usize::try_from(length.min(SHOWN)).unwrap_or(0)];
        let read = self.file.read_at(&mut bytes, 0);
        self.put_away()?;
        bytes.truncate(read?);
        Ok(bytes)
    }

    /// Gives back the memory of what is not shown in any case.
    pub(crate) fn trim(&self) {
        let length = self.file.metadata().map_or(0, |metadata| metadata.len());
        if let Some(unseen @ 1..) = length.checked_sub(SHOWN) {
            let _ = empty(&self.file, unseen); // then it takes more memory, and no more than that
        }
    }

    /// Puts the null device in its place, unless the program has replaced its stderr meanwhile, and gives back the memory.
    ///
    /// A child that was spawned before still writes to the file. A seal on it, or a pipe that nobody reads, would end that
    /// child by an error; a socket that drops everything cannot be opened as `/dev/stderr`, and refuses long texts; and
    /// whoever would empty the file has left. So what the child writes stays until the last such child has ended.
    pub(crate) fn put_away(self) -> io::Result<()> {
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

/// Whether a write to it can end the program with SIGXFSZ, setrlimit(2), where one to the null device cannot.
pub(crate) fn has_limit() -> bool {
    getrlimit(Resource::RLIMIT_FSIZE).map_or(true, |(limit, _)| limit != RLIM_INFINITY)
}

/// The beginning becomes a hole.
#[cfg(target_os = "linux")]
fn empty(file: &File, length: u64) -> io::Result<()> {
    use nix::fcntl::{FallocateFlags, fallocate};
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    Ok(fallocate(file, flags, 0, length.try_into().map_err(io::Error::other)?)?)
}

/// No more than a disk is filled there.
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
    // TMPDIR may be anybody's word; this directory every system has, POSIX XBD 10.1.
    let path = std::path::Path::new("/tmp").join(format!("stderr-{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}
