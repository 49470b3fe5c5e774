//! The programs that are compared.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    C,
    Rust,
}

pub(super) struct Program {
    pub(super) title: &'static str,
    /// The name of its source in `programs/`.
    pub(super) name: &'static str,
    pub(super) language: Language,
    pub(super) detaches: bool,
    /// The package that does it.
    pub(super) library: Option<&'static str>,
}

/// A value for each of [`PROGRAMS`], in their order.
pub(super) type Each<T> = [T; PROGRAMS.len()];

pub(super) const EMPTY_C: usize = 0;
pub(super) const DOUBLE_FORK: usize = 1;
pub(super) const EMPTY_RUST: usize = 3;
pub(super) const DAEMONIZE: usize = 4;
pub(super) const BLIVET: usize = 5;

pub(super) const PROGRAMS: [Program; 8] = [
    Program { title: "empty C", name: "empty", language: Language::C, detaches: false, library: None },
    Program { title: "C", name: "double_fork", language: Language::C, detaches: true, library: None },
    Program { title: "C, waits", name: "double_fork_ready", language: Language::C, detaches: true, library: None },
    Program { title: "empty Rust", name: "empty", language: Language::Rust, detaches: false, library: None },
    Program { title: "daemonize", name: "peer", language: Language::Rust, detaches: true, library: Some("daemonize") },
    Program { title: "blivet", name: "blivet", language: Language::Rust, detaches: true, library: Some("blivet") },
    Program { title: "ours", name: "ours", language: Language::Rust, detaches: true, library: Some("daemon-rt") },
    Program { title: "ours, notify", name: "ours_notify", language: Language::Rust, detaches: true, library: None },
];

impl Program {
    /// The index of the program whose costs any program of that language has.
    pub(super) fn empty(&self) -> usize {
        match self.language {
            Language::C => EMPTY_C,
            Language::Rust => EMPTY_RUST,
        }
    }
}
