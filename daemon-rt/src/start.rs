//! The start, step by step. What can fail fails in the launcher, where somebody reads it.

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
mod sd_notify;
pub(crate) mod streams;

pub use self::ready::ready;
pub(crate) use self::{
    end::ended,
    instance::{lock, other_instance},
    ready::refuse_in as refuse_ready_in,
    sd_notify::{start_failed, stopping},
};

use std::io::{self, Write};

use nix::libc;

use self::{common::Common, prepared::Prepared, ready_fd::ReadyFd, sd_notify::Manager};
use crate::{
    Daemon, Error, sys,
    threads::{Step, require_single_thread},
};

/// Returns where `main` is to run.
pub(crate) fn start(daemon: &mut Daemon) -> Result<(), Error> {
    if daemon.detaches() { become_detached(daemon) } else { stay_in_foreground(daemon) }
}

/// Returns in the same process. Streams and descriptors stay what they are, and so do signals, but for a SIGHUP that is
/// meant for logs.
fn stay_in_foreground(daemon: &mut Daemon) -> Result<(), Error> {
    let thread = || require_single_thread(Step::GiveUpPrivileges);
    if daemon.gives_up_privileges() {
        thread()?; // before there is anything to take back
    }
    let ready_fd = ReadyFd::take(daemon)?;
    let mut common = Common::new(daemon)?;
    let has_manager = common.manager.take().map(Manager::keep).is_some();
    if let Some(reopen_logs) = daemon.reopen_logs {
        reopen_logs.leave_alone();
    }
    common.apply(thread)?; // asks again: whatever looked up users may have started a thread since
    if !daemon.notify {
        return ready_fd.map_or(Ok(()), |ready_fd| ready_fd.tell());
    }
    ready::await_ready_in_foreground(ready_fd);
    if has_manager {
        end::watch_exit();
    }
    Ok(())
}

/// Returns in the daemon, or with an error in the launcher.
fn become_detached(daemon: &mut Daemon) -> Result<(), Error> {
    let step = if daemon.gives_up_privileges() { Step::ForkAndGiveUpPrivileges } else { Step::Fork };
    require_single_thread(step)?; // before there is anything to take back
    let prepared = Prepared::new(daemon)?;
    flush();
    let thread = require_single_thread(step)?; // whatever looked up users may have started one since
    detach::detach(thread, &daemon.inherited, prepared)
}

/// What stays in the buffers would be written by the daemon as well. With a limit on the size of files, a write to one
/// would end the launcher, setrlimit(2).
fn flush() {
    let on_limit = sys::ignore(libc::SIGXFSZ);
    let _ = io::stdout().flush(); // what cannot be written stays in the buffer, and comes with the daemon's output
    sys::flush_c_streams();
    on_limit.restore();
}
