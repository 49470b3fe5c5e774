//! The process that started this one, or the one that was left with it.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use nix::{libc::pid_t, unistd::getppid};

/// Programs that fork, and leave the child to process 1 or to a subreaper: until they have, the parent is luck.
const LEAVING: [&str; 2] = ["setsid", "start-stop-daem"];

/// How long they may take. One that stays longer waits for its child.
const UNTIL_LEFT: Duration = Duration::from_millis(100);

pub(super) struct Parent {
    /// 0 where it is in another pid namespace, `pid_namespaces(7)`.
    pub(super) id: pid_t,
    name: Option<String>,
}

impl Parent {
    pub(super) fn find() -> Self {
        let start = Instant::now();
        loop {
            let id = getppid().as_raw();
            let parent = Self { id, name: name(id) };
            let is_leaving = LEAVING.iter().any(|name| parent.is_named(name));
            if getppid().as_raw() == id && !(is_leaving && start.elapsed() < UNTIL_LEFT) {
                return parent;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }
}

/// The first 15 bytes of the program's file name, unless it named itself, proc(5).
fn name(id: pid_t) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
    Some(name.trim_end_matches('\n').to_owned())
}
