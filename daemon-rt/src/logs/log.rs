//! One log: the file of a stream that was given by its path, or of both.

use std::{
    io::Write,
    os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd},
    sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering::Relaxed},
};

use nix::{
    libc,
    sys::stat::{FileStat, SFlag},
    unistd::geteuid,
};

use super::open::{Location, Opened, Refusal};
use crate::{Error, sys};

/// No descriptor.
const NONE: RawFd = -1;

/// The fields that change are atomic, because they are a signal handler's; one at a time reopens.
pub(crate) struct Log {
    /// As the daemon sees it, which may be from a jail.
    location: Location,
    descriptors: &'static [RawFd],
    /// What cannot be done, where that is so.
    failure: String,
    /// The same as a line begins.
    complaint: String,
    in_place: Identity,
    /// A descriptor of our own of what is in place. As long as it is open, nothing else has that inode number: neither a
    /// descriptor that the program has closed, nor a log that was removed, becomes a file of the program's by chance.
    pin: AtomicI32,
    /// Why the last attempt failed; 0 if it did not.
    refusal: AtomicI32,
    is_told: AtomicBool,
}

/// Of an open file. Where these numbers are cut to 32 bits, that still tells two logs apart.
struct Identity {
    device: AtomicUsize,
    inode: AtomicUsize,
}

impl Log {
    pub(crate) fn new(
        program: &str,
        stream: &str,
        descriptors: &'static [RawFd],
        shown_path: &str,
        location: Location,
        in_place: &FileStat,
        pin: OwnedFd,
    ) -> Self {
        let failure = format!("cannot reopen {stream} {shown_path}");
        Self {
            location,
            descriptors,
            complaint: format!("{program}: {failure}: "),
            failure,
            in_place: Identity::of(in_place),
            pin: AtomicI32::new(pin.into_raw_fd()),
            refusal: AtomicI32::new(0),
            is_told: AtomicBool::new(false),
        }
    }

    /// Puts the file that the path leads to now in place. Async-signal-safe, signal-safety(7).
    ///
    /// What the program put there itself stays; so does what a child is given before it execs.
    pub(super) fn reopen(&self) {
        let mut own = self.descriptors.iter().copied().filter(|&number| self.in_place.is_open_on(number)).peekable();
        let Some(&first) = own.peek() else { return self.refusal.store(0, Relaxed) };
        let put_in_place = || -> Result<Opened, Refusal> {
            let opened = self.location.open(geteuid())?;
            for number in own {
                sys::duplicate_onto(opened.file.as_fd(), number)?;
            }
            Ok(opened)
        };
        match put_in_place() {
            Ok(Opened { file, status, .. }) => {
                self.pin(file);
                self.in_place.note(&status);
                self.refusal.store(0, Relaxed);
                self.is_told.store(false, Relaxed);
            }
            Err(refusal) => {
                self.refusal.store(refusal.into(), Relaxed);
                self.tell(refusal, first);
            }
        }
    }

    /// Before the new identity is noted: under that number there is another file by now where the program closes
    /// descriptors that are not its own. Then the log goes by the inode number alone up to here.
    fn pin(&self, file: OwnedFd) {
        let number = self.pin.load(Relaxed);
        if self.in_place.is_open_on(number) {
            let _ = sys::duplicate_onto(file.as_fd(), number).and_then(|()| sys::set_close_on_exec(number, true));
            return;
        }
        let number = match file.as_raw_fd() {
            number if number > libc::STDERR_FILENO => file.into_raw_fd(),
            _ => file.try_clone().map_or(NONE, IntoRawFd::into_raw_fd), // it takes one above
        };
        self.pin.store(number, Relaxed);
    }

    /// Says in the old log, once, why that goes on. In a file only: a FIFO may be full, or have no reader.
    fn tell(&self, refusal: Refusal, old: RawFd) {
        let is_file = sys::status_of(old).is_ok_and(|status| sys::kind_of(&status) == SFlag::S_IFREG);
        if !is_file || self.is_told.load(Relaxed) {
            return;
        }
        let mut buffer = [0; 128];
        let mut rest = &mut buffer[..];
        let _ = writeln!(rest, "{refusal}"); // what it has no room for is cut off
        let unused = rest.len();
        let why = buffer.split_at(buffer.len().saturating_sub(unused)).0;
        let on_limit = sys::ignore(libc::SIGXFSZ); // the file may be as large as it may be, setrlimit(2)
        self.is_told.store(sys::write_at_once(old, [self.complaint.as_bytes(), why]).is_ok(), Relaxed);
        on_limit.restore();
    }

    /// Whether the last attempt failed.
    pub(super) fn result(&self) -> Result<(), Error> {
        match self.refusal.load(Relaxed) {
            0 => Ok(()),
            number => Err(Error::because(self.failure.clone(), Refusal::from(number).explained())),
        }
    }
}

impl Identity {
    fn of(status: &FileStat) -> Self {
        let (device, inode) = numbers(status);
        Self { device: AtomicUsize::new(device), inode: AtomicUsize::new(inode) }
    }

    fn note(&self, status: &FileStat) {
        let (device, inode) = numbers(status);
        self.device.store(device, Relaxed);
        self.inode.store(inode, Relaxed);
    }

    fn is_open_on(&self, number: RawFd) -> bool {
        let known = (self.device.load(Relaxed), self.inode.load(Relaxed));
        sys::status_of(number).is_ok_and(|status| numbers(&status) == known)
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cut to what an atomic field holds everywhere"
)]
#[allow(clippy::unnecessary_cast, reason = "the types differ from system to system")]
fn numbers(status: &FileStat) -> (usize, usize) {
    (status.st_dev as usize, status.st_ino as usize)
}
