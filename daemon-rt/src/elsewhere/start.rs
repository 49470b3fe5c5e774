//! The start where there is no fork: `main` runs in the foreground.

use crate::{Daemon, Detach, Error};

pub(crate) fn start(daemon: &mut Daemon) -> Result<(), Error> {
    if daemon.pidfile.is_some() {
        return lock(daemon);
    }
    let unix_only = [
        ("user", daemon.identity.as_ref().is_some_and(|identity| identity.user.is_some())),
        ("group", daemon.identity.is_some()),
        ("chroot", daemon.chroot.is_some()),
        ("no_new_privs", daemon.no_new_privs),
    ];
    if let Some((option, _)) = unix_only.iter().find(|(_, is_given)| *is_given) {
        return Err(Error::new(format!("cannot obey `{option}`: this platform has nothing of the kind")));
    }
    match daemon.detach {
        Detach::Always => Err(Error::new("cannot detach: there is no fork on this platform")),
        Detach::Auto | Detach::Never => Ok(()),
    }
}

pub(crate) mod streams {
    /// Streams stay what they are: there are no logs to reopen.
    pub(crate) trait Reopening: std::fmt::Debug {}

    #[derive(Debug)]
    pub(crate) struct ReopenLogs;

    impl Reopening for ReopenLogs {}
}

pub(crate) fn lock(_: &mut Daemon) -> Result<(), Error> {
    Err(Error::new("cannot lock a pidfile: there is no flock on this platform"))
}

pub(crate) fn other_instance(_: &Daemon) -> Option<Error> {
    None
}

pub(crate) fn stopping() {}

pub(crate) fn ended(_: &str, _: u8) {}

pub(crate) fn start_failed(_: &Daemon, _: &Error) {}

pub(crate) fn refuse_ready_in<T>(setup: impl FnOnce() -> T) -> T {
    setup()
}

/// Nobody waits for the program to be ready.
///
/// # Errors
///
/// None here. On Unix, the launcher has gone.
pub fn ready() -> Result<(), Error> {
    Ok(())
}
