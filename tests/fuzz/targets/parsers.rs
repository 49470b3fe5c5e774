//! What somebody else wrote: a pidfile, a word of a command line, a report of a daemon, a text for a terminal.
#![no_main]

use std::io::Write;

use daemon_rt::{Control, PidFile, fuzzing};
use libfuzzer_sys::fuzz_target;
use tempfile::NamedTempFile;

fuzz_target!(|bytes: &[u8]| {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("write");
    let _ = PidFile::new(file.path()).status();

    if let Ok(word) = str::from_utf8(bytes) {
        let control: Result<Control, _> = word.parse();
        assert!(control.is_err() || control.is_ok_and(|control| control.to_string() == word));
    }

    fuzzing::report(bytes);

    let shown = fuzzing::shown(bytes);
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
});
