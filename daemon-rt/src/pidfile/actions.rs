//! What a caller may do to the daemon that a pidfile names.

use std::{path::Path, time::Duration};

use nix::{libc, unistd::getppid};

use super::{
    Status, Stopped,
    content::Content,
    holder::{self, Found, Seen, failed, refused_by_system},
    lock::Lock,
    named_process::Process,
};
use crate::{Error, launched_by, terminal::shown};

/// Exit statuses of the Linux Standard Base: for an action that the service does not support, and for a service that
/// does not run.
pub(super) const UNIMPLEMENTED: u8 = 3;
const NOT_RUNNING: u8 = 7;

/// How long a process may take to end after SIGKILL. It takes time only if the process is waiting for a device.
const AFTER_KILL: Duration = Duration::from_secs(5);

pub(super) fn status(path: &Path) -> Result<Status, Error> {
    Ok(match holder::seek(path, Duration::ZERO)? {
        Seen::Nobody(Content::Empty) => Status::Stopped,
        Seen::Nobody(_) => Status::Stale,
        Seen::Unnamed => Status::Starting,
        Seen::Holder(process, file) => {
            let since = file.metadata().and_then(|metadata| metadata.modified());
            Status::Running {
                daemon: holder::daemon_of(&process, &file).map(|pid| pid.as_raw().unsigned_abs()),
                pid: process.number(),
                since: since.map_err(|error| failed("cannot read the time of", path, error))?,
            }
        }
    })
}

pub(super) fn signal(path: &Path, signal: i32) -> Result<(), Error> {
    signal_holder(path, holder::find, signal, |_, _| Ok(true))?.map(|_| ()).ok_or_else(|| not_running(path))
}

pub(super) fn reload(path: &Path) -> Result<(), Error> {
    // A supervisor passes the signal on.
    let agree_unless_it_ends = |process: &Process, daemon: Option<&Process>| match [Some(process), daemon]
        .into_iter()
        .flatten()
        .find(|process| process.dies_of(libc::SIGHUP))
    {
        Some(Process { pid, .. }) => {
            Err(Error::new(format!("cannot reload process {pid}: it would end on SIGHUP"))
                .and_exit_status(UNIMPLEMENTED))
        }
        // If the daemon has ended, the signal would be for the next one, which nobody has looked at.
        None => daemon.map_or(Ok(true), |daemon| wait(daemon, Duration::ZERO).map(|has_ended| !has_ended)),
    };
    signal_holder(path, holder::find_started, libc::SIGHUP, agree_unless_it_ends)?
        .map(|_| ())
        .ok_or_else(|| not_running(path))
}

pub(super) fn stop(path: &Path, timeout: Duration) -> Result<Stopped, Error> {
    if launched_by::is_upgrade() && holder::find(path)?.is_some_and(|(process, _)| process.pid == getppid()) {
        return Ok(Stopped::NotRunning); // this program was launched to restart it, and takes over from it
    }
    let Some((process, daemon)) = signal_holder(path, holder::find, libc::SIGTERM, |_, _| Ok(true))? else {
        return Ok(Stopped::NotRunning);
    };
    let stopped = if wait(&process, timeout)? {
        Stopped::Terminated
    } else {
        send(&process, libc::SIGKILL)?;
        if !wait(&process, AFTER_KILL)? {
            return Err(Error::new(format!("cannot stop process {}: it does not end on SIGKILL", process.pid)));
        }
        Stopped::Killed
    };
    // If a supervisor is killed, its daemon ends, too, after a moment.
    daemon.as_ref().map_or(Ok(true), |daemon| wait(daemon, AFTER_KILL))?;
    Lock::remove_unheld(path);
    Ok(stopped)
}

/// Signals the process that holds the file, if `find` finds one and `agree` is true. If that is false, it
/// looks again. Returns the process, and its daemon.
///
/// If it is gone right after that, it may have ended before the signal, and an upgrade may have put another process in
/// its place. So it looks again.
fn signal_holder(
    path: &Path,
    find: fn(&Path) -> Result<Found, Error>,
    signal: i32,
    agree: impl Fn(&Process, Option<&Process>) -> Result<bool, Error>,
) -> Result<Found, Error> {
    let mut signalled = None;
    loop {
        let found = match find(path) {
            Err(_) if signalled.is_some() => None, // a worker of the process that has ended
            found => found?,
        };
        let Some((process, daemon)) = found else { return Ok(signalled) };
        if !agree(&process, daemon.as_ref())? {
            continue;
        }
        send(&process, signal)?;
        let is_gone = wait(&process, Duration::ZERO)?;
        signalled = Some((process, daemon));
        if !is_gone {
            return Ok(signalled);
        }
    }
}

fn wait(process: &Process, time: Duration) -> Result<bool, Error> {
    process.wait(time).map_err(|error| Error::because(format!("cannot wait for process {}", process.pid), error))
}

pub(super) fn running(path: &Path) -> Result<(Process, Option<Process>), Error> {
    holder::find(path)?.ok_or_else(|| not_running(path))
}

fn not_running(path: &Path) -> Error {
    Error::new(format!("no running daemon holds {}", shown(path))).and_exit_status(NOT_RUNNING)
}

pub(super) fn send(process: &Process, signal: i32) -> Result<(), Error> {
    match process.signal(signal) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()), // it has just ended
        sent => sent.map_err(|error| refused_by_system(format!("cannot signal process {}", process.pid), error)),
    }
}
