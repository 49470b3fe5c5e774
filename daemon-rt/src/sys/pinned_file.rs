//! A file that is kept open, so that it can be told from every other.

use std::{
    os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd},
    sync::atomic::{AtomicI32, AtomicUsize, Ordering::Relaxed},
};

use nix::{errno::Errno, libc, sys::stat::FileStat};

use super::{
    fd::{FileId, set_close_on_exec, until_done},
    statx::cached_file_id_of,
};

/// No descriptor.
const NONE: RawFd = -1;

/// A file by its device and inode, and a descriptor that keeps it open. While it is open, no other file gets that inode
/// number.
///
/// The fields are atomic, because a signal handler changes them. Only one caller at a time does.
pub(crate) struct PinnedFile {
    device: AtomicUsize,
    inode: AtomicUsize,
    pin: AtomicI32,
}

impl PinnedFile {
    pub(crate) fn new(status: &FileStat, pin: OwnedFd) -> Self {
        let (device, inode) = numbers(FileId::of(status));
        Self {
            device: AtomicUsize::new(device),
            inode: AtomicUsize::new(inode),
            pin: AtomicI32::new(pin.into_raw_fd()),
        }
    }

    /// Whether that descriptor is open on the file, which another host may have removed.
    pub(crate) fn is_open_on(&self, fd: RawFd) -> bool {
        cached_file_id_of(fd).is_ok_and(|found| self.is(found))
    }

    pub(crate) fn is(&self, file: FileId) -> bool {
        numbers(file) == (self.device.load(Relaxed), self.inode.load(Relaxed))
    }

    /// Pins another file instead of this one. Async-signal-safe, signal-safety(7).
    ///
    /// If the program closes descriptors that are not its own, another file may get the number of the pin. That file is
    /// left alone.
    pub(crate) fn replace(&self, file: OwnedFd, status: &FileStat) {
        let pin = self.pin.load(Relaxed);
        if self.is_open_on(pin) {
            // SAFETY: the pin, which nobody else owns: it is open on the pinned file.
            let dup2 = || Errno::result(unsafe { libc::dup2(file.as_raw_fd(), pin) }).map(drop);
            let _ = until_done(dup2).and_then(|()| set_close_on_exec(pin, true));
        } else {
            let is_above = file.as_raw_fd() > libc::STDERR_FILENO;
            let pin = if is_above { Ok(file) } else { file.try_clone() }; // never below 3
            self.pin.store(pin.map_or(NONE, IntoRawFd::into_raw_fd), Relaxed);
        }
        let (device, inode) = numbers(FileId::of(status));
        self.device.store(device, Relaxed);
        self.inode.store(inode, Relaxed);
    }
}

/// If atomics have 32 bits, the numbers are cut off. Two logs still differ.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
#[allow(clippy::unnecessary_cast, reason = "the types differ from system to system")]
fn numbers(file: FileId) -> (usize, usize) {
    (file.device as usize, file.inode as usize)
}
