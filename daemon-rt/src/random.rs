//! Random input for parsers, and the meaning of numbers, found without a parser.

use std::{env, iter};

use fastrand::Rng;

/// The seeds of a test. They are the same in every run. If one fails, `CASES=number` makes it the last.
pub(crate) fn cases() -> impl Iterator<Item = Rng> {
    let number = env::var("CASES").map_or(20_000, |number| number.parse().unwrap());
    (1..=number).map(Rng::with_seed)
}

/// A number at or next to a limit of some type, with either sign, or any other number.
pub(crate) fn number(rng: &mut Rng) -> i128 {
    let limits = [0, 1, 2, 3, 1 << 15, 1 << 16, 1 << 22, 1 << 31, 1 << 32, 1 << 63, 1 << 64];
    let near = limits[rng.usize(..limits.len())] + rng.i128(-4..=4);
    match rng.u8(..8) {
        0 => -near,
        1..=3 => rng.i128(0..1 << 33),
        _ => near,
    }
}

/// A number as people and programs write it, and as they should not: with a sign, zeros, spaces, another base.
pub(crate) fn number_text(rng: &mut Rng) -> Vec<u8> {
    let number = number(rng);
    let mut text = match rng.u8(..8) {
        0 => format!("{number:+}"),
        1 => format!("{number:#x}"),
        2 => format!("{number:020}"),
        _ => number.to_string(),
    }
    .into_bytes();
    for _ in 0..rng.u8(..3) {
        let at = rng.usize(..=text.len());
        match rng.u8(..4) {
            0 => text.truncate(at),
            1 => text.insert(at, rng.u8(..)),
            _ => text.insert(at, b" \n\n\n\0+-_.0x\xff\t\r"[rng.usize(..14)]),
        }
    }
    text
}

/// The value of `digits`. None if there are none, or anything other than `0` to `9`.
pub(crate) fn decimal(digits: &[u8]) -> Option<u128> {
    let value = |byte: u8| b"0123456789".iter().position(|&digit| digit == byte);
    let add = |sum: u128, byte: &u8| Some(sum.saturating_mul(10).saturating_add(value(*byte)? as u128));
    digits.iter().try_fold(0, add).filter(|_| !digits.is_empty())
}

/// Any text that a file with lines may contain.
pub(crate) fn text(rng: &mut Rng, alphabet: &[u8], longest: usize) -> Vec<u8> {
    let length = rng.usize(..=longest);
    iter::repeat_with(|| alphabet[rng.usize(..alphabet.len())]).take(length).collect()
}
