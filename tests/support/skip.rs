//! Tests that a machine cannot run.

use std::{
    env,
    io::{self, Write},
    thread,
};

use nix::unistd::Uid;

/// Leaves a test that only root can run, and says so, where somebody else runs it.
#[macro_export]
macro_rules! needs_root {
    () => {
        if !$crate::is_root() {
            return;
        }
    };
}

/// Leaves a test for a user to whom permissions apply, and says so, where root runs it.
#[macro_export]
macro_rules! needs_ordinary_user {
    () => {
        if !$crate::is_ordinary_user() {
            return;
        }
    };
}

/// Leaves a test that starts these programs, and says so, where one of them is not on the search path.
#[macro_export]
macro_rules! needs_tools {
    ($($program:expr),+) => {
        if !$crate::are_installed(&[$($program),+]) {
            return;
        }
    };
}

/// Says what the running test needs and does not find. Written past the capture of a test's output, so that it is seen.
pub fn skip(needs: &str) {
    let thread = thread::current();
    let line = format!("skipped: needs {needs}: {}\n", thread.name().unwrap_or_default());
    let _ = io::stderr().write_all(line.as_bytes()); // at once: other tests write, too
}

/// Whether the test may go on; says that it needs root if it may not.
#[must_use]
pub fn is_root() -> bool {
    let root = Uid::effective().is_root();
    if !root {
        skip("root");
    }
    root
}

/// Whether the test may go on; says that it needs an ordinary user if it may not.
#[must_use]
pub fn is_ordinary_user() -> bool {
    let user = !Uid::effective().is_root();
    if !user {
        skip("an ordinary user");
    }
    user
}

/// Whether the test may go on; says which of those programs is not on the search path if it may not.
#[must_use]
pub fn are_installed(programs: &[&str]) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let missing =
        programs.iter().find(|program| !env::split_paths(&path).any(|directory| directory.join(program).exists()));
    if let Some(program) = missing {
        skip(program);
    }
    missing.is_none()
}
