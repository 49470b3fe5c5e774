//! What a caller may do to the daemon that a pidfile names.

use std::{path::Path, time::Duration};

use nix::{libc, unistd::getppid};

use super::{
    Status, Stopped,
    content::Content,
    holder::{self, Seen, failed, refused_by_system},
    lock::Lock,
    named_process::Process,
};
use crate::{Error, launched_by, terminal::shown};

/// Exit statuses of the Linux Standard Base: an action that the service has not, and one for a service that runs.
pub(super) const UNIMPLEMENTED: u8 = 3;
const NOT_RUNNING: u8 = 7;

/// How long a process may take to end after SIGKILL. It takes time only where the process waits for a device.
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
    send(&running(path)?.0, signal)
}

pub(super) fn reload(path: &Path) -> Result<(), Error> {
    let (process, daemon) = running(path)?;
    // A supervisor hands the signal on.
    if let Some(Process { pid, .. }) =
        [Some(&process), daemon.as_ref()].into_iter().flatten().find(|process| process.dies_of(libc::SIGHUP))
    {
        return Err(
            Error::new(format!("cannot reload process {pid}: it would end on SIGHUP")).and_exit_status(UNIMPLEMENTED)
        );
    }
    send(&process, libc::SIGHUP)
}

pub(super) fn stop(path: &Path, timeout: Duration) -> Result<Stopped, Error> {
    let Some((process, daemon)) = holder::find(path)? else { return Ok(Stopped::NotRunning) };
    if process.pid == getppid() && launched_by::is_upgrade() {
        return Ok(Stopped::NotRunning); // launched to restart it, this program takes over from it
    }
    for (signal, time, stopped) in
        [(libc::SIGTERM, timeout, Stopped::Terminated), (libc::SIGKILL, AFTER_KILL, Stopped::Killed)]
    {
        send(&process, signal)?;
        if wait(&process, time)? {
            // A supervisor that is killed ends the daemon, which takes a moment.
            daemon.as_ref().map_or(Ok(true), |daemon| wait(daemon, AFTER_KILL))?;
            Lock::remove_unheld(path);
            return Ok(stopped);
        }
    }
    Err(Error::new(format!("cannot stop process {}: it does not end on SIGKILL", process.pid)))
}

fn wait(process: &Process, time: Duration) -> Result<bool, Error> {
    process.wait(time).map_err(|error| Error::because(format!("cannot wait for process {}", process.pid), error))
}

pub(super) fn running(path: &Path) -> Result<(Process, Option<Process>), Error> {
    holder::find(path)?
        .ok_or_else(|| Error::new(format!("no daemon runs that holds {}", shown(path))).and_exit_status(NOT_RUNNING))
}

pub(super) fn send(process: &Process, signal: i32) -> Result<(), Error> {
    match process.signal(signal) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()), // it has just ended
        sent => sent.map_err(|error| refused_by_system(format!("cannot signal process {}", process.pid), error)),
    }
}
