//! What a daemon wrote to its error stream before it failed, for the person who started it.

use std::{fs::File, io, os::unix::fs::FileExt};

/// The last words are those that matter.
const LIMIT: u64 = 64 * 1024;

/// The error stream, opened when the start began: a log that is replaced by a link to a secret meanwhile shows nothing.
#[derive(Debug)]
pub(crate) struct ErrorStream {
    file: File,
    start: u64,
}

impl ErrorStream {
    /// Everything that is in the file now was there before.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let start = file.metadata()?.len();
        Ok(Self { file, start })
    }

    /// What was written since, at most the last 64 KiB of it, fit for a terminal; empty where it cannot be read.
    pub(crate) fn appended(&self) -> String {
        self.read().map_or_else(|_| String::new(), |bytes| for_terminal(&bytes))
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let end = self.file.metadata()?.len();
        let start = self.start.max(end.saturating_sub(LIMIT));
        let mut bytes = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
        let read = self.file.read_at(&mut bytes, start)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}

/// Control characters could move the cursor, change the title or type into the terminal that shows them.
fn for_terminal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 1);
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' | '\t' => text.push(character),
                _ if character.is_control() => text.extend(character.escape_default()),
                _ => text.push(character),
            }
        }
        for byte in chunk.invalid() {
            text.extend(byte.escape_ascii().map(char::from));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
