use super::for_terminal;
use crate::random::cases;

/// Text between whatever a terminal acts on: escape sequences, C1 controls, a torn UTF-8 sequence.
const PARTS: [&[u8]; 10] = [
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
];

#[test]
fn nothing_but_lines_and_tabs_controls_the_terminal() {
    for mut rng in cases() {
        let parts: Vec<_> = (0..rng.usize(..8)).map(|_| PARTS[rng.usize(..PARTS.len())]).collect();
        let bytes = parts.concat();
        let text = for_terminal(&bytes);
        let is_harmless = |character: char| matches!(character, '\n' | '\t') || !character.is_control();
        assert!(text.chars().all(is_harmless), "{text:?}");
        assert!(text.is_empty() == bytes.is_empty() && (text.is_empty() || text.ends_with('\n')), "{text:?}");
        // What is harmless stays as it is, but for the newline at the end.
        if let Some(harmless) = std::str::from_utf8(&bytes).ok().filter(|text| text.chars().all(is_harmless)) {
            assert_eq!(text.strip_suffix('\n').unwrap_or_default(), harmless.strip_suffix('\n').unwrap_or(harmless));
        }
    }
}

#[test]
fn what_is_not_shown_is_named() {
    assert_eq!(for_terminal(b"a\x1b[2Jb\xff\r\n"), "a\\u{1b}[2Jb\\xff\\r\n");
}
