use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use super::{FIRST_PASSED, end, number};
use crate::random::{cases, decimal, number_text};

#[test]
fn a_number_is_decimal_digits_and_nothing_else() {
    for mut rng in cases() {
        let text = number_text(&mut rng);
        let expected = decimal(&text).and_then(|value| u32::try_from(value).ok());
        assert_eq!(number(OsStr::from_bytes(&text)), expected, "{}", text.escape_ascii());
    }
}

/// Descriptors are passed from 3 on, `sd_listen_fds(3)`. A number that is too large counts as none.
#[test]
fn as_many_descriptors_are_passed_as_there_can_be() {
    for (count, expected) in
        [(0, 3), (1, 4), (2, 5), (1000, 1003), (i32::MAX as u32 - 3, i32::MAX), (i32::MAX as u32 - 2, 3), (u32::MAX, 3)]
    {
        assert_eq!(end(count), expected, "{count}");
    }
    for mut rng in cases() {
        let count = rng.u32(..);
        assert!(end(count) >= FIRST_PASSED, "{count}");
    }
}
