//! A real terminal: the master side of a pseudo-terminal.

use std::{
    io::{Read, Write},
    os::fd::AsFd,
    path::PathBuf,
};

use nix::{
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt},
};

use crate::DEADLINE;

/// A terminal; closing it hangs it up.
#[derive(Debug)]
pub struct Terminal {
    master: PtyMaster,
    /// The device for the programs on it.
    pub path: PathBuf,
}

impl Terminal {
    /// Opens a new one.
    ///
    /// # Panics
    ///
    /// Panics when the system has none left.
    #[must_use]
    pub fn open() -> Self {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).expect("open a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("unlock a terminal");
        let path = ptsname_r(&master).expect("name a terminal").into();
        Self { master, path }
    }

    /// Types.
    ///
    /// # Panics
    ///
    /// Panics when the terminal takes nothing.
    pub fn type_in(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("type");
    }

    /// Reads what is shown until that text is among it.
    ///
    /// # Panics
    ///
    /// Panics when it is not shown in time.
    pub fn read_until(&mut self, text: &str) -> String {
        let mut shown = String::new();
        let mut buffer = [0; 4096];
        while !shown.contains(text) {
            let mut ready = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
            let came = poll(&mut ready, PollTimeout::try_from(DEADLINE).expect("a deadline")).expect("wait for output");
            assert_ne!(came, 0, "waited in vain for {text:?}; shown: {shown:?}");
            let read = self.master.read(&mut buffer).unwrap_or_else(|error| panic!("{error}; shown: {shown:?}"));
            shown.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        shown
    }
}
