//! The C library that a program was linked with: this test's own, or another one, .ci/other-programs.

use std::{fs::File, io::Read, path::Path};

use crate::skip;

/// A C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Libc {
    /// Most distributions' own.
    Glibc,
    /// Alpine's, for example.
    Musl,
}

impl Libc {
    /// That of a program.
    ///
    /// # Panics
    ///
    /// Panics when it cannot be read.
    #[must_use]
    pub fn of(program: impl AsRef<Path>) -> Self {
        if loader(program.as_ref()) == Some("ld-linux") { Self::Glibc } else { Self::Musl }
    }

    /// The signals that it keeps for itself, nptl(7), as a set of proc(5).
    #[must_use]
    pub fn own_signals(self) -> u64 {
        let signals = match self {
            Self::Glibc => 32..=33,
            Self::Musl => 32..=34,
        };
        signals.map(|signal| 1 << (signal - 1)).sum()
    }

    /// Whether the destructors of the main thread's thread-locals run at its end, [`std::thread::LocalKey`].
    #[must_use]
    pub fn drops_thread_locals_of_main(self) -> bool {
        self == Self::Glibc
    }

    /// Whether Rust finds the arguments of a program whose `main` is C's.
    #[must_use]
    pub fn has_arguments_before_main(self) -> bool {
        self == Self::Glibc
    }
}

/// Whether the test may go on; says that it needs programs with that C library if it may not.
#[must_use]
pub fn is_built_with_glibc(program: &str) -> bool {
    let glibc = Libc::of(program) == Libc::Glibc;
    if !glibc {
        skip("glibc");
    }
    glibc
}

/// Whether the test may go on; says that it needs a program that is linked dynamically, as `LD_PRELOAD` does, if it may
/// not.
#[must_use]
pub fn is_dynamic(program: impl AsRef<Path>) -> bool {
    let dynamic = loader(program.as_ref()).is_some();
    if !dynamic {
        skip("a program that is linked dynamically");
    }
    dynamic
}

/// Whether the test may go on; says that it needs a program that is linked statically if it may not.
#[must_use]
pub fn is_static(program: impl AsRef<Path>) -> bool {
    let dynamic = loader(program.as_ref()).is_some();
    if dynamic {
        skip("a program that is linked statically");
    }
    !dynamic
}

/// Leaves a test that programs with glibc alone can pass, and says so, where others are tried.
#[macro_export]
macro_rules! needs_glibc {
    ($program:expr) => {
        if !$crate::is_built_with_glibc($program) {
            return;
        }
    };
}

/// What loads it, elf(5): its path stands near the beginning. None for a program that is linked statically.
fn loader(program: &Path) -> Option<&'static str> {
    let mut beginning = Vec::new();
    File::open(program).expect("a program").take(4096).read_to_end(&mut beginning).expect("read a program");
    ["ld-linux", "ld-musl"].into_iter().find(|name| beginning.windows(name.len()).any(|bytes| bytes == name.as_bytes()))
}
