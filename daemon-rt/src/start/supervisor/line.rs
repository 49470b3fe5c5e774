//! A line that is written without allocating. An allocation might fail when memory is short, and that is when daemons
//! are killed.

#[cfg(test)]
mod tests;

use std::fmt::{self, Write};

/// RFC 3164, 4.1, has the same limit for a line of the system's log. A longer line is cut off.
const LIMIT: usize = 1024;

pub(super) struct Line {
    bytes: [u8; LIMIT],
    length: usize,
}

impl Line {
    /// `end` follows, even if something was cut off.
    pub(super) fn new(text: fmt::Arguments<'_>, end: u8) -> Self {
        let mut line = Self { bytes: [0; LIMIT], length: 0 };
        let _ = line.write_fmt(text); // it never fails
        if let Some(place) = line.bytes.get_mut(line.length) {
            *place = end;
            line.length += 1;
        }
        line
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// What has room in a line: the last lines of a long text, since a reason comes last.
pub(super) fn end_of(text: &[u8]) -> &[u8] {
    const ROOM: usize = LIMIT / 2; // a control character takes more than one byte
    let is_newline = |byte: &u8| *byte == b'\n';
    let Some(cut) = text.len().checked_sub(ROOM) else { return text };
    let begin = text[cut..].iter().position(is_newline).map(|newline| cut + newline + 1);
    let begin = begin.or_else(|| text.iter().rposition(is_newline).map(|newline| newline + 1));
    &text[begin.unwrap_or_default()..]
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LIMIT - 1 - self.length; // there is always room for `end`
        let end = (0..=room.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        self.bytes[self.length..self.length + end].copy_from_slice(&text.as_bytes()[..end]);
        self.length += end;
        Ok(())
    }
}
