//! The programs that are compared.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    C,
    Rust,
}

pub(crate) struct Program {
    pub(crate) title: &'static str,
    /// The name of its source in `programs/`.
    pub(crate) name: &'static str,
    pub(crate) language: Language,
    pub(crate) detaches: bool,
    /// The package that does it.
    pub(crate) library: Option<&'static str>,
}

/// A value for each of [`PROGRAMS`], in their order.
pub(crate) type Each<T> = [T; PROGRAMS.len()];

pub(crate) const EMPTY_C: usize = 0;
pub(crate) const DOUBLE_FORK: usize = 1;
pub(crate) const EMPTY_RUST: usize = 3;
pub(crate) const PEER: usize = 4;

pub(crate) const PROGRAMS: [Program; 7] = [
    Program { title: "empty C", name: "empty", language: Language::C, detaches: false, library: None },
    Program { title: "C", name: "double_fork", language: Language::C, detaches: true, library: None },
    Program { title: "C, waits", name: "double_fork_ready", language: Language::C, detaches: true, library: None },
    Program { title: "empty Rust", name: "empty", language: Language::Rust, detaches: false, library: None },
    Program { title: "daemonize", name: "peer", language: Language::Rust, detaches: true, library: Some("daemonize") },
    Program { title: "ours", name: "ours", language: Language::Rust, detaches: true, library: Some("daemon-rt") },
    Program { title: "ours, notify", name: "ours_notify", language: Language::Rust, detaches: true, library: None },
];

impl Program {
    /// The index of the program whose costs any program of that language has.
    pub(crate) fn empty(&self) -> usize {
        match self.language {
            Language::C => EMPTY_C,
            Language::Rust => EMPTY_RUST,
        }
    }
}
