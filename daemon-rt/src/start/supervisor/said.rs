//! The end of what the upgraded program said.

use std::{
    fmt::{self, Write},
    io::{self, Read},
};

use crate::upgrades::LIMIT;

pub(super) struct Said {
    bytes: [u8; LIMIT],
    length: usize,
}

impl Said {
    pub(super) fn nothing() -> Self {
        Self { bytes: [0; LIMIT], length: 0 }
    }

    /// Reads once, and says whether there may be more to come.
    pub(super) fn read(&mut self, mut from: impl Read) -> io::Result<bool> {
        let mut new = [0; LIMIT];
        let read = from.read(&mut new)?;
        let kept = self.length.min(LIMIT - read);
        self.bytes.copy_within(self.length - kept..self.length, 0);
        self.bytes[kept..kept + read].copy_from_slice(&new[..read]);
        self.length = kept + read;
        Ok(read > 0)
    }

    /// Removes the program's name at the beginning of a message.
    pub(super) fn remove_name(&mut self, name: &str) {
        let message = self.trimmed().strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b": "));
        if let Some(length) = message.map(<[u8]>::len) {
            let end = self.bytes[..self.length].trim_ascii_end().len();
            self.bytes.copy_within(end - length..end, 0);
            self.length = length;
        }
    }

    pub(super) fn trimmed(&self) -> &[u8] {
        self.bytes[..self.length].trim_ascii()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl Write for Said {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.read(text.as_bytes()).map(drop).map_err(|_| fmt::Error)
    }
}
