use super::{LIMIT, Line};

#[test]
fn what_is_too_long_is_cut_off_and_the_end_is_not() {
    for length in [0, 1, LIMIT - 2, LIMIT - 1, LIMIT, LIMIT + 1, 3 * LIMIT] {
        for first in [0, length / 2, length] {
            let line = Line::new(format_args!("{}{}", "x".repeat(first), "x".repeat(length - first)), b'\n');
            let expected = "x".repeat(length.min(LIMIT - 1)) + "\n";
            assert_eq!(line.bytes(), expected.as_bytes(), "{first} and {}", length - first);
        }
    }
}

#[test]
fn no_letter_is_cut_in_two() {
    let line = Line::new(format_args!("{}", "ü".repeat(LIMIT)), b'\n');
    assert_eq!(line.bytes(), ("ü".repeat((LIMIT - 1) / 2) + "\n").as_bytes());
}
