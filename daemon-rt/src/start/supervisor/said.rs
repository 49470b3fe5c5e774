//! The end of what the upgraded program said.

use std::{
    fmt::{self, Write},
    io::{self, Read},
};

use nix::errno::Errno;

use crate::{stderr_buffer::CUT, upgrades::LIMIT};

/// With room for the notice that something was cut off.
const SHOWN: usize = LIMIT - CUT.len() - 1;

/// How much is read at a time.
const PART: usize = 4096;

pub(super) struct Said {
    /// Never grows beyond what was allocated at first.
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Said {
    pub(super) fn nothing() -> io::Result<Self> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(LIMIT).map_err(|_| Errno::ENOMEM)?;
        Ok(Self { bytes, is_cut: false })
    }

    /// Reads once, and says whether there may be more to come.
    pub(super) fn read(&mut self, mut from: impl Read) -> io::Result<bool> {
        let mut new = [0; PART];
        let read = from.read(&mut new)?;
        let surplus = (self.bytes.len() + read).saturating_sub(SHOWN);
        self.is_cut |= surplus > 0;
        self.bytes.drain(..surplus);
        self.bytes.extend_from_slice(&new[..read]);
        Ok(read > 0)
    }

    /// Says so if the beginning was cut off. Otherwise removes the program's name there, which a message begins with.
    pub(super) fn finish(&mut self, name: &str) {
        let begin = if self.is_cut {
            self.bytes.iter().position(|byte| *byte == b'\n').map_or(0, |newline| newline + 1)
        } else {
            let message = self.trimmed().strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b": "));
            message.map_or(0, |message| self.bytes.trim_ascii_end().len() - message.len())
        };
        self.bytes.drain(..begin);
        if self.is_cut {
            let length = self.bytes.len();
            self.bytes.extend_from_slice(CUT.as_bytes());
            self.bytes.push(b'\n');
            self.bytes.rotate_left(length);
        }
    }

    pub(super) fn trimmed(&self) -> &[u8] {
        self.bytes.trim_ascii()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.is_cut = false;
    }
}

impl Write for Said {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.read(text.as_bytes()).map(drop).map_err(|_| fmt::Error)
    }
}
