//! Asks the supervisor that a pidfile names to let a new one take over.

use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use nix::libc;

use super::{
    actions::{UNIMPLEMENTED, running, send},
    holder::refused_by_system,
    named_process::Process,
};
use crate::{Error, upgrades::Upgrades};

/// How often to look.
const INTERVAL: Duration = Duration::from_millis(5);

pub(super) fn upgrade(path: &Path, timeout: Duration) -> Result<(), Error> {
    let deadline = Instant::now().checked_add(timeout);
    let is_over = || deadline.is_some_and(|deadline| deadline <= Instant::now());
    loop {
        let (supervisor, _) = running(path)?;
        let cannot = |why: &str| Error::new(format!("cannot upgrade process {}: {why}", supervisor.pid));
        let upgrades = upgrades_of(&supervisor)?;
        let last = || upgrades.last().map_err(|error| cannot_upgrade(&supervisor, error));
        let has_ended = || supervisor.wait(INTERVAL).map_err(|error| cannot_upgrade(&supervisor, error));
        // The lock does not show an upgrade that `kill` began, or for whose end somebody did not wait.
        while !upgrades.lock().map_err(|error| cannot_upgrade(&supervisor, error))? || last()?.has_begun_another {
            if is_over() {
                return Err(cannot(&format!("another upgrade was not over within {timeout:?}")));
            }
            if has_ended()? {
                break; // without a result
            }
        }
        if running(path)?.0.pid != supervisor.pid {
            continue; // the other upgrade has replaced it
        }
        // If a `kill` comes first, the supervisor drops this signal. That upgrade has the right program, too: none was
        // under way a moment ago, and the beginning is noted before the program is executed.
        let before = last()?.count;
        send(&supervisor, libc::SIGUSR2)?;
        loop {
            let has_ended = has_ended()?;
            let last = last()?;
            if last.count != before && last.is_done {
                return Ok(());
            }
            if last.count != before {
                let reason = upgrades.reason().map_err(|error| cannot_upgrade(&supervisor, error))?;
                return Err(cannot(&reason));
            }
            if has_ended {
                return Err(cannot("it has ended"));
            }
            if is_over() {
                return Err(cannot(&format!("no new one has taken over within {timeout:?}")));
            }
        }
    }
}

fn upgrades_of(supervisor: &Process) -> Result<Upgrades, Error> {
    let upgrades = Upgrades::of(supervisor.pid).map_err(|error| cannot_upgrade(supervisor, error))?;
    upgrades.ok_or_else(|| {
        let why = "it was started without `respawn`, or in a way that rules out an upgrade; restart it";
        Error::new(format!("cannot upgrade process {}: {why}", supervisor.pid)).and_exit_status(UNIMPLEMENTED)
    })
}

fn cannot_upgrade(supervisor: &Process, error: io::Error) -> Error {
    refused_by_system(format!("cannot upgrade process {}", supervisor.pid), error)
}
