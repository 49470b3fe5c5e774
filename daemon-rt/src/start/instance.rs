//! One running instance: the pidfile's part in a start.

use std::path::PathBuf;

use super::check;
use crate::{
    Daemon, Error, PidFile, Status, Stdio,
    pidfile::{self, Lock},
};

/// Locks the pidfile, unless that has been done.
pub(crate) fn lock(daemon: &mut Daemon) -> Result<(), Error> {
    if daemon.pidfile.is_none() {
        return Err(Error::new("cannot lock a pidfile: the option `pidfile` is not set"));
    }
    daemon.lock = take_lock(daemon)?;
    Ok(())
}

/// The lock on the pidfile, if there is to be one.
pub(super) fn take_lock(daemon: &mut Daemon) -> Result<Option<Lock>, Error> {
    match (daemon.lock.take(), pidfile(daemon)?) {
        (None, Some(path)) => Lock::acquire(&path).map(Some),
        (lock, _) => Ok(lock),
    }
}

fn pidfile(daemon: &Daemon) -> Result<Option<PathBuf>, Error> {
    let Some(path) = &daemon.pidfile else { return Ok(None) };
    let path = daemon.inherited.absolute(check::path("pidfile", path)?)?;
    for (name, stream) in
        [("stdin", Some(&daemon.stdin)), ("stdout", Some(&daemon.stdout)), ("stderr", daemon.stderr.as_ref())]
    {
        let Some(stream) = stream.and_then(Stdio::path) else { continue };
        if daemon.inherited.absolute(stream)? == path {
            return Err(Error::new(format!("`pidfile` and `{name}` are the same file, {}", path.display())));
        }
    }
    Ok(Some(path))
}

/// Why no start can succeed now: another instance runs, or starts.
pub(crate) fn other_instance(daemon: &Daemon) -> Option<Error> {
    let path = pidfile(daemon).ok()??;
    if daemon.lock.is_some() {
        return None;
    }
    match PidFile::new(&path).status() {
        Ok(Status::Running { pid, .. }) => Some(pidfile::already_running(&path, pid)),
        Ok(Status::Starting) => Lock::acquire(&path).err(), // it waits for the name
        _ => None,
    }
}
