use super::number;
use crate::{
    id::Id,
    random::{cases, decimal, number_text},
};

/// POSIX chown(1): a name without an entry is a number if it can be one. The last one cannot: to setuid(2) it is -1.
#[test]
fn a_name_of_digits_is_a_number() {
    for mut rng in cases() {
        let Ok(name) = String::from_utf8(number_text(&mut rng)) else { continue };
        let expected =
            decimal(name.strip_prefix('+').unwrap_or(&name).as_bytes()).and_then(|value| u32::try_from(value).ok());
        let expected = expected.filter(|&number| number != u32::MAX);
        assert_eq!(number("user", &Id::from(name.as_str())).ok(), expected, "{name:?}");
    }
}

#[test]
fn the_last_number_is_nobody() {
    for (id, expected) in [(0, Some(0)), (u32::MAX - 1, Some(u32::MAX - 1)), (u32::MAX, None)] {
        assert_eq!(number("group", &Id::from(id)).ok(), expected);
    }
}
