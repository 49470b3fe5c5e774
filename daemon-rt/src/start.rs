//! The start, step by step. What can fail fails in the launcher, where somebody reads it.

mod check;
mod children;
mod detach;
mod group;
mod instance;
mod jail;
mod launcher;
mod leader;
mod manager;
mod place;
mod prepared;
mod ready;
mod ready_fd;
mod report;
pub(crate) mod streams;
mod variables;

pub use self::ready::ready;
pub(crate) use self::{
    instance::{lock, other_instance},
    manager::{ended, start_failed, stopping},
    ready::refuse_in as refuse_ready_in,
};

use std::io::{self, Write};

use nix::libc;

use self::{manager::Manager, place::Place, prepared::Prepared, ready_fd::ReadyFd};
use crate::{
    Daemon, Error,
    pidfile::Lock,
    privileges::Privileges,
    sys,
    threads::{self, Step},
};

/// Returns where `main` is to run.
pub(crate) fn start(daemon: &mut Daemon) -> Result<(), Error> {
    if daemon.detaches() { become_detached(daemon) } else { stay_in_foreground(daemon) }
}

/// Streams and descriptors stay what they are, and signals, but for a SIGHUP for logs that are not ours.
fn stay_in_foreground(daemon: &mut Daemon) -> Result<(), Error> {
    let privileges = Privileges::new(daemon)?;
    let refuse_threads = || threads::require_single_thread(Step::GiveUpPrivileges);
    privileges.are_to_change().then(refuse_threads).transpose()?; // before there is anything to take back
    let place = Place::new(daemon, privileges.another_account())?;
    let ready_fd = ReadyFd::take(daemon)?;
    let is_awaited = Manager::connect(daemon)?.map(Manager::keep).is_some();
    let lock = instance::take_lock(daemon)?;
    place.enter()?;
    lock.as_ref().map_or(Ok(()), Lock::name_this_process)?;
    if privileges.are_to_change() {
        privileges.drop_for_good(&refuse_threads()?)?;
    }
    place.change_directory(privileges.another_account())?;
    if let Some(reopen_logs) = daemon.reopen_logs {
        reopen_logs.leave_alone();
    }
    lock.map_or(Ok(()), Lock::hold_until_exit)?;
    match ready_fd {
        Some(ready_fd) if !daemon.notify => return ready_fd.tell(),
        Some(ready_fd) => ready_fd.keep(),
        None if !is_awaited => return Ok(()),
        None => {}
    }
    ready::await_ready_in_foreground();
    if is_awaited {
        manager::watch_exit();
    }
    Ok(())
}

/// Returns in the daemon, or with an error in the launcher.
fn become_detached(daemon: &mut Daemon) -> Result<(), Error> {
    threads::require_single_thread(Step::Fork)?; // before there is anything to take back
    let prepared = Prepared::new(daemon)?;
    flush();
    // What looks up users, and whoever else was called, may have started one since.
    let step = if prepared.gives_up_privileges() { Step::ForkAndGiveUpPrivileges } else { Step::Fork };
    let thread = threads::require_single_thread(step)?;
    detach::detach(&thread, &daemon.inherited, prepared)
}

/// What stays in the buffers would be written by the daemon as well. With a limit on the size of files, a write to one
/// would end the launcher, setrlimit(2).
fn flush() {
    let on_limit = sys::ignore(libc::SIGXFSZ);
    let _ = io::stdout().flush(); // what cannot be written stays in the buffer, and comes with the daemon's output
    sys::flush_c_streams();
    on_limit.restore();
}
