//! Makes text from outside safe for a terminal, and for a line of a log.

#[cfg(all(test, unix))]
mod tests;

use std::{
    ffi::OsStr,
    fmt::{self, Write},
};

/// A text of several lines. A newline is added if it does not end with one.
pub(crate) fn escape_controls(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 1);
    let _ = write_escaped(&mut text, bytes, &['\n', '\t']); // a string takes everything
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// A name or a path for a message. A newline in it is escaped, too, so that it cannot fake a line.
pub(crate) fn shown(name: &(impl AsRef<OsStr> + ?Sized)) -> Shown<'_> {
    Shown(name.as_ref())
}

/// The same for bytes.
#[cfg(unix)]
pub(crate) fn shown_bytes(text: &[u8]) -> Shown<'_> {
    Shown(std::os::unix::ffi::OsStrExt::from_bytes(text))
}

/// See [`shown`].
pub(crate) struct Shown<'name>(&'name OsStr);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(formatter, self.0.as_encoded_bytes(), &[])
    }
}

fn write_escaped(output: &mut impl Write, bytes: &[u8], kept: &[char]) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_deceptive(character) && !kept.contains(&character) {
                write!(output, "{}", character.escape_default())?;
            } else {
                output.write_char(character)?;
            }
        }
        write!(output, "{}", chunk.invalid().escape_ascii())?;
    }
    Ok(())
}

/// Characters that make a terminal act, or that make a text look like another one.
///
/// Control characters move the cursor, change the title or type into the terminal. Invisible characters can make a path
/// look like another one: `Default_Ignorable_Code_Point` of the Unicode character database, and the annotations. They
/// include the bidirectional controls, which put words in another order, UTR #36. Variation selectors do not count:
/// they choose between two looks of the character before them.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}' // the first two end a line or a paragraph
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e00ff}' // tags, which can spell a second text
                | '\u{e01f0}'..='\u{e0fff}'
        )
}
