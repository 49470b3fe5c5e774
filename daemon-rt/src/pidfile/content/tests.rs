use std::{
    fs::{self, File},
    io::Write,
};

use nix::unistd::Pid;

use super::{Content, names_supervisor, of_supervisor};
use crate::random::{cases, decimal, number_text};

/// A process id as the kernel writes it, without a leading zero, and followed only by newlines.
fn expected(bytes: &[u8]) -> Content {
    let is_space = |byte: &u8| b"\t\n\x0c\r ".contains(byte);
    let words: Vec<_> = bytes.split(is_space).filter(|word| !word.is_empty()).collect();
    let pid = |digits: &[u8]| {
        let pid = i32::try_from(decimal(digits)?).ok()?;
        (pid != 0 && pid.to_string().as_bytes() == digits).then_some(Pid::from_raw(pid))
    };
    let mut digits = bytes;
    while let Some(rest) = digits.strip_suffix(b"\n") {
        digits = rest;
    }
    match (words.as_slice(), (digits.len() < bytes.len()).then_some(digits)) {
        _ if bytes.is_empty() => Content::Empty,
        _ if bytes.len() > 64 || words.len() > 1 => Content::Foreign,
        ([word], _) if decimal(word).is_none() => Content::Foreign,
        (_, Some(digits)) => pid(digits).map_or(Content::Unusual, Content::Pid),
        (_, None) => pid(bytes).map_or(Content::Unusual, Content::Unfinished),
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
        assert_eq!(Content::parse(format!("{pid}\n").as_bytes()), Content::Pid(Pid::from_raw(pid)));
        assert_eq!(Content::parse(format!("{pid}\n\n\n").as_bytes()), Content::Pid(Pid::from_raw(pid)));
        assert_eq!(Content::parse(pid.to_string().as_bytes()), Content::Unfinished(Pid::from_raw(pid)));
    }
}

#[test]
fn a_supervisors_number_is_told_from_a_daemons() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pid");
    for pid in [2, 99_999, 4_194_303] {
        fs::write(&path, of_supervisor(pid)).unwrap();
        assert!(names_supervisor(&path), "{pid}");
        assert_eq!(fs::metadata(&path).unwrap().len(), 9, "one write replaces it");
        assert_eq!(Content::parse(&fs::read(&path).unwrap()), Content::Pid(Pid::from_raw(pid.cast_signed())));
        fs::write(&path, format!("{pid}\n")).unwrap();
        assert!(!names_supervisor(&path), "{pid}");
    }
}

#[test]
fn a_number_with_white_space_is_a_pidfile_and_anything_else_is_none() {
    for text in ["\n", " 12\n", "0012", "12 \t\r\n", "99999999999\n", "0\n"] {
        assert_eq!(Content::parse(text.as_bytes()), Content::Unusual, "{text:?}");
    }
    for text in ["12x", "-1\n", "+12\n", "12 13\n", "[server]\nport = 80\n", "\0", "1\x0b"] {
        assert_eq!(Content::parse(text.as_bytes()), Content::Foreign, "{text:?}");
    }
    assert_eq!(Content::parse(&[b' '; 64]), Content::Unusual);
    assert_eq!(Content::parse(&[b' '; 65]), Content::Foreign);
}

/// However long it is.
#[test]
#[cfg_attr(miri, ignore = "Miri has no pread on a directory")]
fn a_file_is_read_to_its_end() {
    for mut rng in cases().take(500) {
        let text = number_text(&mut rng).repeat(rng.usize(1..4));
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&text).unwrap();
        assert_eq!(Content::read(&file).unwrap(), expected(&text), "{}", text.escape_ascii());
    }
    assert!(Content::read(&File::open("/").unwrap()).is_err());
}
