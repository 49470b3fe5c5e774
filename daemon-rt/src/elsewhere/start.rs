//! The start on systems without fork: `main` runs in the foreground.

use std::{
    ffi::OsString,
    fmt,
    path::PathBuf,
    process,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::{Daemon, Detach, Error, messages, run::Role};

/// Whether the program still has to say that it is ready.
static IS_AWAITED: AtomicBool = AtomicBool::new(false);

pub(crate) fn start(daemon: &mut Daemon) -> Result<Role, Error> {
    if daemon.pidfile.is_some() {
        lock(daemon)?;
    }
    IS_AWAITED.store(true, Relaxed);
    let unix_only = [
        ("user", daemon.identity.as_ref().is_some_and(|identity| identity.user.is_some())),
        ("group", daemon.identity.is_some()),
        ("chroot", daemon.chroot.is_some()),
        ("no_new_privs", daemon.no_new_privs),
    ];
    if let Some((option, _)) = unix_only.iter().find(|(_, is_given)| *is_given) {
        return Err(Error::new(format!("cannot apply `{option}`: this platform does not have it")));
    }
    match daemon.detach {
        Detach::Always => Err(Error::new("cannot detach: there is no fork on this platform")),
        Detach::Auto | Detach::Never => Ok(Role::Daemon),
    }
}

/// The option `chroot`, which is an error here.
#[derive(Debug)]
pub(crate) struct Root(());

impl Root {
    pub(crate) fn new(_: PathBuf) -> Self {
        Self(())
    }
}

/// The environment stays as it is.
pub(crate) trait Keeping: fmt::Debug + Send + Sync {}

#[derive(Debug)]
#[allow(dead_code, reason = "as where the names are kept")]
pub(crate) struct KeepEnv(pub(crate) Vec<OsString>);

impl Keeping for KeepEnv {}

/// The option `respawn` has no effect in the foreground.
pub(crate) trait Supervising: fmt::Debug {}

pub(crate) fn set_respawn(_: &mut Daemon, _: crate::Respawn) {}

pub(crate) fn is_upgrade() -> bool {
    false
}

pub(crate) mod streams {
    /// Streams stay as they are: there are no logs to reopen or rotate.
    pub(crate) trait Reopening: std::fmt::Debug {}

    #[derive(Debug)]
    pub(crate) struct ReopenLogs;

    impl Reopening for ReopenLogs {}

    #[derive(Debug)]
    pub(crate) struct RotateLogs;

    impl Reopening for RotateLogs {}

    /// There are no files to open.
    pub(crate) trait Opening: std::fmt::Debug + Sync + std::panic::RefUnwindSafe {}

    #[derive(Debug)]
    pub(crate) struct OpenFiles;

    impl Opening for OpenFiles {}
}

pub(crate) fn lock(_: &mut Daemon) -> Result<(), Error> {
    Err(Error::new("cannot lock a pidfile: there is no flock on this platform"))
}

pub(crate) fn other_instance(_: &Daemon) -> Option<Error> {
    None
}

pub(crate) fn stopping() {}

pub(crate) fn stop_at_exit() {}

pub(crate) fn ended(_: &str, _: u8) {}

pub(crate) fn start_failed(_: &Daemon, _: &Error) {}

pub(crate) fn refuse_ready_in<T>(setup: impl FnOnce() -> T) -> T {
    setup()
}

pub(crate) fn exit_now(status: u8) -> ! {
    process::exit(status.into())
}

/// Does nothing, because no launcher waits for the program.
///
/// # Errors
///
/// None here. On Unix, the launcher has gone.
pub fn ready() -> Result<(), Error> {
    ready_with("")
}

/// The same as [`ready`], with one line that is printed once, on standard output.
///
/// # Errors
///
/// None here. On Unix, the launcher has gone.
pub fn ready_with(message: impl AsRef<str>) -> Result<(), Error> {
    if IS_AWAITED.swap(false, Relaxed) {
        messages::print(message.as_ref());
    }
    Ok(())
}

/// A daemon that a program started while it goes on itself. There is none on this platform.
#[derive(Debug, Clone)]
pub struct Spawned(());

impl Spawned {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        0
    }

    /// What it gave to [`ready_with`].
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        None
    }
}

pub(crate) fn spawn<T: process::Termination>(_: &mut Daemon, _: impl FnOnce() -> T) -> Result<Spawned, Error> {
    Err(Error::new("cannot spawn a daemon: there is no fork on this platform"))
}
