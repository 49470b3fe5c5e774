//! Forks twice with setsid(2) between, daemon(7). Then there are three processes: the launcher, which waits for the
//! result and exits with it; the leader of the new session, which watches the daemon until it is ready; and the daemon.

use std::{io, os::unix::net::UnixStream};

use nix::{
    libc,
    sys::signal::{SigSet, SigmaskHow},
    unistd::{self, ForkResult, Pid},
};

use super::{
    launcher,
    leader::Leader,
    prepared::{Prepared, Remaining},
    process_group, report,
};
use crate::{
    Error,
    inherited::Inherited,
    run::Role,
    stop_requested::{self, AtStart},
    sys::{self, Action},
    threads::SingleThread,
};

/// Returns in the daemon and, with the outcome, in the launcher. The leader exits by `_exit`. Errors come from before
/// the first fork.
pub(crate) fn detach(
    thread: SingleThread,
    inherited: &Inherited,
    prepared: Prepared,
    program: Option<&UnixStream>,
) -> Result<Role, Error> {
    let (to_leader, to_launcher) = socket_pair()?;
    // In the leader, the terminal's signals are blocked from the first instruction on, so that they do not end it. The
    // launcher unblocks them.
    let mask = sys::change_mask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()))
        .map_err(|error| Error::because("cannot block signals", error))?;
    let on_child = sys::default_action(libc::SIGCHLD); // ignored, it would hide how a child ended, wait(2)
    let adopted_orphans = process_group::adopt_orphans(true);
    // If the start fails, the program may go on in the launcher.
    let restore = |on_child: Action| {
        process_group::adopt_orphans(adopted_orphans);
        on_child.restore();
        let _ = mask.thread_set_mask();
    };
    if let Err(error) = stop_requested::at_start().map_or(Ok(()), AtStart::refuse_if_made) {
        restore(on_child);
        return Err(error);
    }
    match sys::fork(&thread) {
        Ok(ForkResult::Parent { child: leader }) => {
            drop(to_launcher);
            sys::leave_termination_alone(); // the pidfile belongs to the leader, or to its daemon
            let actions = inherited.become_interruptible(); // a handler of `setup` would keep Ctrl-C from ending it
            let outcome = launcher::wait(leader, &to_leader, prepared, program);
            match &outcome {
                Ok(ready) if ready.message.is_empty() => {}
                Ok(_) => _ = inherited.become_interruptible(), // printing the message may take for ever
                Err(_) => {
                    actions.into_iter().for_each(Action::restore);
                    restore(on_child);
                }
            }
            return Ok(Role::Launcher(outcome));
        }
        Ok(ForkResult::Child) => drop(to_leader),
        Err(error) => {
            restore(on_child);
            return Err(Error::because("cannot fork the session leader", error));
        }
    }
    let leader = unistd::getpid();
    let (remaining, to_leader) = lead(&thread, inherited, prepared, to_launcher, program);
    on_child.restore();
    inherited.stop_ignoring_signals();
    let supervisor = remaining.supervision.is_some().then_some(leader);
    remaining.apply_in_daemon(thread, to_leader, supervisor);
    inherited.unblock_signals(mask);
    Ok(Role::Daemon)
}

/// In the leader: creates the new session, applies what the daemon inherits, and forks. After that, the daemon can
/// never gain a terminal, because only the leader of a session can, POSIX 11.1.3. Returns in the daemon, with a socket
/// to the leader if that waits for a report. Also returns in each daemon that the leader forks later, as its
/// supervisor.
fn lead(
    thread: &SingleThread,
    inherited: &Inherited,
    prepared: Prepared,
    launcher: UnixStream,
    program: Option<&UnixStream>,
) -> (Remaining, Option<UnixStream>) {
    match fork_daemon(thread, inherited, prepared) {
        Ok(Forked::Leader { daemon, from_daemon, remaining }) => {
            Leader { daemon, from_daemon, launcher, program, remaining }.watch(thread)
        }
        Ok(Forked::Daemon { to_leader, remaining }) => (remaining, to_leader),
        Err(error) => report::give_up(&launcher, error),
    }
}

enum Forked {
    Leader { daemon: Pid, from_daemon: Option<UnixStream>, remaining: Remaining },
    Daemon { to_leader: Option<UnixStream>, remaining: Remaining },
}

fn fork_daemon(thread: &SingleThread, inherited: &Inherited, prepared: Prepared) -> Result<Forked, Error> {
    unistd::setsid().map_err(|error| Error::because("cannot create a session", error))?;
    let remaining = prepared.apply_in_leader(inherited)?;
    let (from_daemon, to_leader) = remaining.is_awaited().then(socket_pair).transpose()?.unzip();
    process_group::adopt_orphans(true);
    process_group::continue_at_end_of_parent();
    Ok(match sys::fork(thread).map_err(|error| Error::because("cannot fork the daemon", error))? {
        ForkResult::Parent { child: daemon } => Forked::Leader { daemon, from_daemon, remaining },
        ForkResult::Child => Forked::Daemon { to_leader, remaining },
    })
}

pub(crate) fn socket_pair() -> Result<(UnixStream, UnixStream), Error> {
    UnixStream::pair().map_err(|error: io::Error| Error::because("cannot create a socket pair", error))
}
