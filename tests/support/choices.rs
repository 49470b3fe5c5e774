//! Random choices, which a seed repeats, and the numbers of a long run.

use std::env;

/// Marsaglia's xorshift: the same choices in every run.
#[derive(Debug)]
pub struct Choices(u64);

impl Choices {
    /// Those of that seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1)) // zero would stay zero
    }

    /// The seed of the choices that are left.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.0
    }

    /// A number below that one.
    ///
    /// # Panics
    ///
    /// Panics when that one is zero.
    pub fn below(&mut self, number: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % number as u64).expect("below")
    }

    /// Whether something happens that does so that many times in a hundred.
    pub fn percent(&mut self, times: usize) -> bool {
        self.below(100) < times
    }

    /// One of these.
    ///
    /// # Panics
    ///
    /// Panics when there is none.
    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// What the environment has by that name, or that default.
#[must_use]
pub fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}
