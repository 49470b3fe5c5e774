use std::{fs::File, io::Write};

use nix::unistd::Pid;

use super::Content;
use crate::random::{cases, decimal, number_text};

/// A process id as the kernel has them, without a leading zero, and nothing behind it but one newline.
fn expected(bytes: &[u8]) -> Content {
    let digits = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    match decimal(digits).map(i32::try_from) {
        _ if bytes.is_empty() => Content::Empty,
        Some(Ok(pid)) if pid != 0 && pid.to_string().as_bytes() == digits => Content::Pid(Pid::from_raw(pid)),
        _ => Content::Malformed,
    }
}

#[test]
fn only_a_process_id_is_one() {
    for mut rng in cases() {
        let text = number_text(&mut rng);
        assert_eq!(Content::parse(&text), expected(&text), "{}", text.escape_ascii());
    }
}

#[test]
fn what_a_daemon_writes_is_read() {
    for pid in [1, 2, 9, 10, 4_194_303, i32::MAX] {
        for text in [pid.to_string(), format!("{pid}\n")] {
            assert_eq!(Content::parse(text.as_bytes()), Content::Pid(Pid::from_raw(pid)));
        }
    }
}

/// However long it is.
#[test]
fn a_file_is_read_to_its_end() {
    for mut rng in cases().take(500) {
        let text = number_text(&mut rng).repeat(rng.usize(1..4));
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&text).unwrap();
        assert_eq!(Content::read(&file).unwrap(), expected(&text), "{}", text.escape_ascii());
    }
    assert!(Content::read(&File::open("/").unwrap()).is_err());
}
