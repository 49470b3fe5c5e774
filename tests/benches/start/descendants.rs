//! Whatever the programs leave behind becomes a child of the benchmark, which knows then what there is, and ends it.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        prctl::set_child_subreaper,
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::Result;

/// What takes longer will never come.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

const INTERVAL: Duration = Duration::from_micros(100);

/// Kills whoever is left when it is dropped.
pub(super) struct Adopted(());

impl Drop for Adopted {
    fn drop(&mut self) {
        end();
    }
}

pub(super) fn adopt() -> Result<Adopted> {
    set_child_subreaper(true)?;
    Ok(Adopted(()))
}

/// Waits until all have ended, so that none of them takes a processor from the next.
pub(super) fn wait() -> Result<()> {
    eventually("all processes ended", || (reap() == Left::Nobody).then_some(()))
}

/// Waits until one is left, and sleeps: none does between the end of its launcher and its `main`.
pub(super) fn the_idle_one() -> Result<Pid> {
    eventually("one process is left, and sleeps", || {
        reap();
        match children()[..] {
            [child] if is_asleep(child) => Some(child),
            _ => None,
        }
    })
}

/// Kills all: those whose parent is killed are children next.
pub(super) fn end() {
    while reap() == Left::Somebody {
        for child in children() {
            let _ = kill(child, Signal::SIGKILL); // an error: it has ended
        }
        thread::sleep(INTERVAL);
    }
}

fn eventually<T>(state: &str, look: impl Fn() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match look() {
            Some(seen) => return Ok(seen),
            None if Instant::now() < deadline => thread::sleep(INTERVAL),
            None => return Err(format!("in vain waited until {state}; left: {:?}", children()).into()),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Left {
    Somebody,
    Nobody,
}

/// Takes notice of all that have ended.
fn reap() -> Left {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return Left::Somebody,
            Err(Errno::ECHILD) => return Left::Nobody,
            _ => {}
        }
    }
}

fn children() -> Vec<Pid> {
    let children = fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    children.split_whitespace().filter_map(|child| child.parse().ok().map(Pid::from_raw)).collect()
}

fn is_asleep(process: Pid) -> bool {
    fs::read_to_string(format!("/proc/{process}/status")).is_ok_and(|status| status.contains("\nState:\tS"))
}
