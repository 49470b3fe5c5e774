use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use super::{escape_controls, shown};
use crate::random::cases;

/// Text between things that make a terminal act, such as escape sequences, C1 controls and a torn UTF-8 sequence, and
/// between characters that make a text look different.
const PARTS: [&[u8]; 14] = [
    b"plain",
    b"\n",
    b"\t",
    b"\r",
    b"\x1b[2J",
    b"\x7f",
    "\u{9b}31m".as_bytes(),
    "ü€🦀".as_bytes(),
    b"\xff",
    b"\xe2\x82",
    "\u{202e}".as_bytes(),
    "\u{200b}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{e0041}".as_bytes(),
];

/// Characters that are not a letter, a sign or a blank of a line.
const DECEPTIVE: [char; 33] = [
    '\u{ad}',
    '\u{61c}',
    '\u{180e}',
    '\u{200b}',
    '\u{200c}',
    '\u{200d}',
    '\u{200e}',
    '\u{200f}',
    '\u{2028}',
    '\u{2029}',
    '\u{202a}',
    '\u{202b}',
    '\u{202c}',
    '\u{202d}',
    '\u{202e}',
    '\u{2060}',
    '\u{2061}',
    '\u{2062}',
    '\u{2063}',
    '\u{2064}',
    '\u{2066}',
    '\u{2067}',
    '\u{2068}',
    '\u{2069}',
    '\u{3164}',
    '\u{feff}',
    '\u{e0000}',
    '\u{e0001}',
    '\u{e0020}',
    '\u{e0041}',
    '\u{e007f}',
    '\u{e01f0}',
    '\u{e0fff}',
];

fn is_harmless(character: char) -> bool {
    !character.is_control() && !DECEPTIVE.contains(&character)
}

#[test]
fn nothing_but_lines_and_tabs_controls_the_terminal() {
    for mut rng in cases() {
        let parts: Vec<_> = (0..rng.usize(..8)).map(|_| PARTS[rng.usize(..PARTS.len())]).collect();
        let bytes = parts.concat();
        let text = escape_controls(&bytes);
        let is_harmless = |character: char| matches!(character, '\n' | '\t') || is_harmless(character);
        assert!(text.chars().all(is_harmless), "{text:?}");
        assert!(text.is_empty() == bytes.is_empty() && (text.is_empty() || text.ends_with('\n')), "{text:?}");
        // Harmless text stays as it is, except for the newline at the end.
        if let Some(harmless) = std::str::from_utf8(&bytes).ok().filter(|text| text.chars().all(is_harmless)) {
            assert_eq!(text.strip_suffix('\n').unwrap_or_default(), harmless.strip_suffix('\n').unwrap_or(harmless));
        }
        let name = shown(OsStr::from_bytes(&bytes)).to_string();
        assert!(name.chars().all(self::is_harmless), "{name:?}");
        assert_eq!(escape_controls(name.as_bytes()).trim_end_matches('\n'), name, "escaped once is escaped");
    }
}

#[test]
fn what_is_not_shown_is_named() {
    assert_eq!(escape_controls(b"a\x1b[2Jb\xff\r\n"), "a\\u{1b}[2Jb\\xff\\r\n");
    assert_eq!(shown("a\nb\tc\x1b").to_string(), "a\\nb\\tc\\u{1b}");
    assert_eq!(shown(OsStr::from_bytes(b"a\xff\xe2\x82")).to_string(), "a\\xff\\xe2\\x82");
    for character in DECEPTIVE {
        let code = format!("<\\u{{{:x}}}>", u32::from(character));
        assert_eq!(shown(&format!("<{character}>")).to_string(), code);
        assert_eq!(escape_controls(format!("<{character}>").as_bytes()), code + "\n");
    }
}

/// Every script stays as its writers know it: accents that follow their letters, and both looks of a sign.
#[test]
fn what_is_written_stays_as_it_is() {
    for text in
        ["/srv/Überlegungen", "日本語", "مرحبا", "שלום", "e\u{301}", "❤\u{fe0f}", "葛\u{e0100}", "a b\u{a0}c", r"\n"]
    {
        assert_eq!(shown(text).to_string(), text);
        assert_eq!(escape_controls(text.as_bytes()), format!("{text}\n"));
    }
}
