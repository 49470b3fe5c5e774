//! The words for an error number, which each C library has its own of: "Address in use" is musl's.

use std::io;

/// A text of a program in the words of the test's own C library. Of a number it stays what the program said: that the
/// number is right is seen.
pub(crate) fn in_own_words(text: &str) -> String {
    let mut own = String::new();
    for line in text.split_inclusive('\n') {
        own.push_str(&line_in_own_words(line).unwrap_or_else(|| line.to_owned()));
    }
    own
}

fn line_in_own_words(line: &str) -> Option<String> {
    let (before, behind) = line.rsplit_once(" (os error ")?;
    let number = behind.split_once(')')?.0.parse().ok()?;
    let (before, _) = before.rsplit_once(": ").unwrap_or(("", before));
    let separator = if before.is_empty() { "" } else { ": " };
    let behind = behind.split_once(')')?.1;
    Some(format!("{before}{separator}{}{behind}", io::Error::from_raw_os_error(number)))
}
