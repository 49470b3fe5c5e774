//! What a start does with the pidfile, so that only one instance runs.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::check;
use crate::{
    Daemon, Error, PidFile, Status, Stdio,
    pidfile::{self, Lock},
    terminal::shown,
};

/// Locks the pidfile, unless it is locked already.
pub(crate) fn lock(daemon: &mut Daemon) -> Result<(), Error> {
    daemon.lock = take_lock(daemon, Duration::ZERO)?;
    if daemon.lock.is_none() && !serves_a_peer(daemon) {
        return Err(Error::new("cannot lock a pidfile: the option `pidfile` is not set"));
    }
    Ok(())
}

/// The lock on the pidfile, if there is to be one. `patience` is how long to wait for another instance's start.
pub(super) fn take_lock(daemon: &mut Daemon, patience: Duration) -> Result<Option<Lock>, Error> {
    match (daemon.lock.take(), pidfile_to_lock(daemon)?) {
        (None, Some(path)) => {
            let handed_over = daemon.respawn.as_mut().and_then(|supervision| supervision.take_over_lock(&path));
            let lock = handed_over.unwrap_or_else(|| Lock::acquire(&path, patience));
            lock.map(Some).map_err(|error| error.withhold_all_but(cannot_lock(&path)))
        }
        (lock, _) => {
            lock.as_ref().map_or(Ok(()), Lock::remove_at_end)?; // it may have been taken in another process
            Ok(lock)
        }
    }
}

fn pidfile_to_lock(daemon: &Daemon) -> Result<Option<PathBuf>, Error> {
    if serves_a_peer(daemon) { Ok(None) } else { pidfile(daemon) }
}

/// The path in the option, or the one that systemd reads after the start.
pub(crate) fn pidfile(daemon: &Daemon) -> Result<Option<PathBuf>, Error> {
    let systemds = daemon.launched_by.pidfile().filter(|_| daemon.detaches());
    let Some(path) = &daemon.pidfile else { return Ok(systemds.map(Path::to_owned)) };
    let path = daemon.inherited.absolute(check::path("pidfile", path)?)?;
    if let Some(systemds) = systemds.filter(|systemds| !are_the_same(systemds, &path)) {
        let (path, systemds) = (shown(&path), shown(systemds));
        return Err(Error::new(format!(
            "`pidfile` is {path}, but systemd reads {systemds}, the `PIDFile=` of its unit"
        )));
    }
    for (name, stream) in
        [("stdin", Some(&daemon.stdin)), ("stdout", Some(&daemon.stdout)), ("stderr", daemon.stderr.as_ref())]
    {
        let Some(stream) = stream.and_then(Stdio::path) else { continue };
        if daemon.inherited.absolute(stream)? == path {
            return Err(Error::new(format!("`pidfile` and `{name}` are the same file, {}", shown(&path))));
        }
    }
    Ok(Some(path))
}

/// Whether there is one process for each connection: inetd(8), and `Accept=yes` in systemd.socket(5).
fn serves_a_peer(daemon: &Daemon) -> bool {
    daemon.launched_by.has_peer_on_stdin() && !daemon.detaches()
}

/// systemd treats `/var/run` as `/run` if it is a link to it.
fn are_the_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| Some((fs::canonicalize(path.parent()?).ok()?, path.file_name()?.to_owned()));
    one == other || real(one).is_some_and(|one| Some(one) == real(other))
}

/// Why no start can succeed now: another instance is running or starting.
pub(crate) fn other_instance(daemon: &Daemon) -> Option<Error> {
    let path = pidfile_to_lock(daemon).ok()??;
    if daemon.lock.is_some() || daemon.launched_by.is_upgrade() {
        return None;
    }
    let error = match PidFile::new(&path).status() {
        Ok(Status::Running { pid, .. }) => Some(pidfile::already_running(&path, pid)),
        Ok(Status::Starting) => Lock::acquire(&path, Duration::ZERO).err(), // it waits until the file names a process
        _ => None,
    };
    error.map(|error| error.withhold_all_but(cannot_lock(&path)))
}

fn cannot_lock(path: &Path) -> String {
    format!("cannot lock {}", shown(path))
}
