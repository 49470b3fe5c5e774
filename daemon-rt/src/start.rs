//! The start, step by step. Whatever can fail does so in the launcher, where somebody reads the error.

mod check;
mod children;
mod common;
mod detach;
mod end;
mod environment;
mod filesystem;
mod instance;
mod launcher;
mod leader;
mod prepared;
mod process_group;
mod ready;
mod ready_fd;
mod report;
mod root;
mod sd_notify;
mod spawn;
pub(crate) mod streams;
mod supervisor;

#[cfg(fuzzing)]
pub(crate) use self::report::Incoming;
pub(crate) use self::{
    check::stop_timeout,
    end::{ended, stop_at_exit},
    environment::{KeepEnv, Keeping},
    instance::{lock, other_instance, pidfile},
    ready::refuse_in as refuse_ready_in,
    root::Root,
    sd_notify::{start_failed, stopping, stopping_at_once},
    spawn::spawn,
    supervisor::{Supervising, set_respawn},
};
pub use self::{
    ready::{ready, ready_with},
    spawn::Spawned,
};
pub(crate) use crate::sys::exit_now;

use std::{
    io::{self, Write},
    os::unix::net::UnixStream,
};

use nix::libc;

use self::{common::Common, prepared::Prepared, ready_fd::ReadyFd, streams::Reopening};
use crate::{
    Daemon, Error,
    launched_by::is_upgrade,
    pidfile::Lock,
    run::Role,
    stop_requested::{self, AtStart},
    sys,
    threads::{Step, require_single_thread},
};

/// Errors come from before the first fork, or from the foreground.
pub(crate) fn start(daemon: &mut Daemon) -> Result<Role, Error> {
    if is_upgrade() && daemon.respawn.is_none() {
        return Err(Error::new("cannot take over from the running daemon: the option `respawn` is not set"));
    }
    stop_requested::note_options(daemon)?;
    stop_requested::without_thread(|| {
        if daemon.detaches() {
            become_detached(daemon, None)
        } else {
            stay_in_foreground(daemon).map(|()| Role::Daemon)
        }
    })
}

/// Returns in the same process. Streams, descriptors and signals stay as they are, with two exceptions: SIGHUP, if it
/// is meant for logs, and the signals that end a process that has a pidfile or is process 1.
fn stay_in_foreground(daemon: &mut Daemon) -> Result<(), Error> {
    if daemon.launched_by.is_upgrade() {
        return Err(Error::new("cannot take over from the running daemon in the foreground: `detach` is `Never`"));
    }
    let thread = || require_single_thread(Step::GiveUpPrivileges);
    if daemon.gives_up_privileges() {
        thread()?; // before there is anything to undo
    }
    stop_requested::at_start().map_or(Ok(()), AtStart::obey_options)?;
    let mut ready_fd = ReadyFd::take(daemon)?;
    let mut common = Common::new(daemon)?;
    if let Some(manager) = common.manager.take() {
        manager.keep();
        end::watch_exit();
    }
    daemon.log_options().for_each(Reopening::leave_alone);
    common.apply(thread)?; // asks again: the look-up of users may have started a thread since
    sys::handle_termination_of_process_1();
    if let Some(ready_fd) = ready_fd.take_if(|_| !daemon.notify) {
        ready_fd.tell().inspect_err(|_| {
            Lock::release();
            sys::leave_termination_alone();
        })?;
    }
    ready::leave_to_program(ready_fd, !daemon.launched_by.has_peer_on_stdin());
    Ok(())
}

/// `program` is the socket to the program that called `spawn`. It gets the report, and answers.
fn become_detached(daemon: &mut Daemon, program: Option<&UnixStream>) -> Result<Role, Error> {
    let step = if daemon.gives_up_privileges() { Step::ForkAndGiveUpPrivileges } else { Step::Fork };
    require_single_thread(step)?; // before there is anything to undo
    let prepared = Prepared::new(daemon)?;
    let _ = flush(); // what cannot be written stays in the buffer, and appears in the daemon's output
    let thread = require_single_thread(step)?; // the look-up of users may have started one since
    detach::detach(thread, &daemon.inherited, prepared, program)
}

/// Otherwise the daemon would also write what is left in the buffers. If the size of files is limited, the write could
/// end the launcher, setrlimit(2).
fn flush() -> io::Result<()> {
    let on_limit = sys::ignore(libc::SIGXFSZ);
    let flushed = io::stdout().flush();
    sys::flush_c_streams();
    on_limit.restore();
    flushed
}
