//! Two forks with setsid(2) between them, daemon(7), and three processes after them: the launcher, which waits for the
//! result and leaves with it; the leader of the new session, which watches the daemon until it is ready; the daemon.

use std::{io, os::unix::net::UnixStream, time::Duration};

use nix::{
    libc,
    sys::signal::{SigSet, SigmaskHow},
    unistd::{self, ForkResult},
};

use super::{Prepared, group, launcher, leader::Leader, report::Report, threads::SingleThread};
use crate::{Error, sys};

/// What the daemon has of the forks.
pub(crate) struct Detached {
    pub(crate) leader: UnixStream,
    pub(crate) signals: SignalsBefore,
}

/// What was blocked, and what SIGCHLD did, before the forks.
pub(crate) struct SignalsBefore {
    mask: SigSet,
    on_child: sys::Action,
}

/// Returns in the daemon, or with an error in the launcher; the launcher and the leader leave by `_exit`.
pub(crate) fn detach(thread: &SingleThread, prepared: Prepared) -> Result<(Detached, Prepared), Error> {
    let (to_leader, to_launcher) = socket_pair()?;
    let on_child = sys::default_action(libc::SIGCHLD); // nobody learns how a child ended while it is ignored
    group::adopt_orphans();
    match sys::fork(thread) {
        Ok(ForkResult::Parent { child: leader }) => {
            drop(to_launcher);
            launcher::wait(leader, &to_leader, prepared)
        }
        Ok(ForkResult::Child) => drop(to_leader),
        Err(error) => {
            on_child.restore();
            return Err(Error::because("cannot fork the session leader", error));
        }
    }
    match lead(thread, &to_launcher, prepared.start_timeout) {
        Ok((leader, mask)) => Ok((Detached { leader, signals: SignalsBefore { mask, on_child } }, prepared)),
        Err(error) => give_up(&to_launcher, error),
    }
}

impl SignalsBefore {
    pub(crate) fn restore(self) {
        self.on_child.restore();
        let _ = self.mask.thread_set_mask(); // fails on an unknown operation only, pthread_sigmask(3)
    }
}

/// In the leader: the new session, and the fork after which the daemon can never gain a terminal, since only the
/// leader of a session can, POSIX 11.1.3.
fn lead(thread: &SingleThread, to_launcher: &UnixStream, timeout: Duration) -> Result<(UnixStream, SigSet), Error> {
    let mask = SigSet::all()
        .thread_swap_mask(SigmaskHow::SIG_SETMASK)
        .map_err(|error| Error::because("cannot block signals", error))?;
    unistd::setsid().map_err(|error| Error::because("cannot create a session", error))?;
    let (to_daemon, to_leader) = socket_pair()?;
    group::adopt_orphans();
    match sys::fork(thread).map_err(|error| Error::because("cannot fork the daemon", error))? {
        ForkResult::Parent { child: daemon } => {
            drop(to_leader);
            Leader { daemon, from_daemon: &to_daemon, launcher: to_launcher, timeout }.watch()
        }
        ForkResult::Child => Ok((to_leader, mask)),
    }
}

/// Reports why the start failed, and ends a process that is not the launcher.
pub(crate) fn give_up(reader: &UnixStream, error: Error) -> ! {
    let _ = Report::from(error).send(reader); // where nobody reads, nobody is left to tell
    sys::exit_now(1)
}

fn socket_pair() -> Result<(UnixStream, UnixStream), Error> {
    UnixStream::pair().map_err(|error: io::Error| Error::because("cannot create a socket pair", error))
}
