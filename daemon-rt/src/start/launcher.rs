//! The launcher after the fork: it waits for the result.

use std::{
    io::{self, Read},
    mem,
    net::Shutdown,
    os::{fd::AsFd, unix::net::UnixStream},
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{SigSet, Signal, killpg},
    unistd::Pid,
};

use super::{
    children::Children,
    prepared::Prepared,
    process_group,
    ready_fd::ReadyFd,
    report::{Incoming, Report},
    supervisor::Supervising,
};
use crate::{Error, run::Ready, sys};

/// How much later than `start_timeout` the leader, which enforces it, may report.
const MARGIN: Duration = Duration::from_secs(1);

/// How long the leader may take to end the group.
const LEADER_GRACE: Duration = Duration::from_secs(10);

/// Returns when the daemon is ready, or with the reason why there is none.
pub(crate) fn wait(
    leader: Pid,
    from_leader: &UnixStream,
    prepared: Prepared,
    program: Option<&UnixStream>,
) -> Result<Ready, Error> {
    let report = match Children::watch(SigSet::from(Signal::SIGCHLD)) {
        Ok(children) => outcome(leader, from_leader, &children, &prepared, program),
        Err(error) => {
            let _ = killpg(leader, Signal::SIGKILL);
            Error::because("cannot wait for the session leader", error).into()
        }
    };
    match report {
        Report::Ready(ready) => {
            mem::forget(prepared); // all of it is the daemon's, and what would be removed is in use
            Ok(ready)
        }
        Report::Failed(error) => Err(error.and_stderr(prepared.streams.stderr_tail())),
    }
}

/// What the leader reports, once it has ended.
fn outcome(
    leader: Pid,
    from_leader: &UnixStream,
    children: &Children,
    prepared: &Prepared,
    program: Option<&UnixStream>,
) -> Report {
    match receive(leader, from_leader, prepared.start_timeout) {
        Ok(Some(Report::Ready(ready))) => {
            tell_manager(prepared, &ready);
            tell_supervisor(prepared);
            // Behind its answer the daemon is ready, and Ctrl-C could not have the exit status say otherwise.
            for signal in sys::INTERRUPTING {
                let _ = sys::ignore(signal);
            }
            let ready = Report::Ready(ready);
            match program {
                // The leader waits for that before it answers `ready()`.
                None => _ = sys::send(from_leader.as_fd(), &[0]),
                // It answers the leader itself: whatever becomes of this process then, both know the same. The leader sees
                // by its line whether this process is there.
                Some(program) => {
                    if let Err(error) = ready.send(program) {
                        // If the program was killed, this process is about to be: the leader must get to its last act.
                        let _ = from_leader.shutdown(Shutdown::Both);
                        leader_failed(leader, None, children, "end");
                        return Error::because("cannot tell the program that the daemon is ready", error).into();
                    }
                }
            }
            if let Some(supervision) = &prepared.supervision {
                return after_ready_under_supervision(leader, from_leader, ready, children, supervision.as_ref());
            }
            after_ready(leader, ready, children)
        }
        Ok(Some(failed)) => {
            end_now(leader, children); // in case the leader does not get to its last act, the same
            failed
        }
        nothing => {
            let _ = from_leader.shutdown(Shutdown::Both); // a report that comes now fails, so that the leader knows
            let report = leader_failed(leader, None, children, "report");
            nothing.err().map_or(report, |error| Error::because("cannot hear from the session leader", error).into())
        }
    }
}

/// Where the manager cannot be told, the daemon is ready all the same: the manager has a timeout of its own.
fn tell_manager(prepared: &Prepared, ready: &Ready) {
    let Some(Err(error)) = prepared.common.manager.as_ref().map(|manager| manager.ready_as(ready)) else { return };
    let step = format!("cannot tell the service manager that process {} is ready", ready.daemon);
    prepared.messages.say(&Error::because(step, error));
}

/// As [`tell_manager`].
fn tell_supervisor(prepared: &Prepared) {
    let Some(Err(error)) = prepared.ready_fd.as_ref().map(ReadyFd::tell) else { return };
    prepared.messages.say(&error);
}

/// None where the leader ended without a report, or is stuck.
fn receive(leader: Pid, from_leader: &UnixStream, timeout: Duration) -> io::Result<Option<Report>> {
    let deadline = Instant::now().checked_add(timeout).and_then(|end| end.checked_add(MARGIN));
    // Stopped, by the daemon for example, it enforces no timeout.
    match Incoming::from_daemon().receive_or_resume(from_leader, deadline, || _ = killpg(leader, Signal::SIGCONT)) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        report => report,
    }
}

/// After its report that the daemon is ready, the leader answers `ready()` and exits. A leader that does not exit, or not
/// with 0, may not have answered.
fn after_ready(leader: Pid, ready: Report, children: &Children) -> Report {
    match await_end(leader, children) {
        Ok(Some(End::Well)) => {
            let _ = sys::reap(leader); // where process 1 of a container reaps nobody, it would stay a zombie
            ready
        }
        Ok(Some(End::Badly { reaped })) => leader_failed(leader, reaped, children, "report"),
        Ok(None) => leader_failed(leader, None, children, "end"),
        Err(_) => ready, // somebody else reaped it
    }
}

/// A leader that stays as the supervisor answers here, too, once it has answered `ready()`. In an upgrade it may have taken
/// over by then, so that only one that ended or is stuck has failed; and before, it may have waited itself.
fn after_ready_under_supervision(
    leader: Pid,
    mut from_leader: &UnixStream,
    ready: Report,
    children: &Children,
    supervision: &dyn Supervising,
) -> Report {
    let start = Instant::now() + supervision.patience();
    for deadline in [start + MARGIN, start + LEADER_GRACE] {
        while Instant::now() < deadline {
            if let Ok([true]) = children.wait([from_leader], Some(deadline)) {
                return match sys::uninterrupted(|| from_leader.read(&mut [0])) {
                    Ok(1..) => ready,
                    _ if supervision.is_upgrade() && matches!(sys::look_at(leader), Ok(None)) => {
                        Report::failed("the session leader did not report in time")
                    }
                    _ => leader_failed(leader, None, children, "report"),
                };
            }
        }
        let _ = killpg(leader, Signal::SIGCONT); // the daemon may have stopped it
    }
    leader_failed(leader, None, children, "report")
}

/// How the leader ended.
enum End {
    Well,
    /// As long as it is not reaped, no other group can get its number.
    Badly {
        reaped: Option<ExitStatus>,
    },
}

/// None where it is stuck.
fn await_end(leader: Pid, children: &Children) -> io::Result<Option<End>> {
    let start = Instant::now();
    for deadline in [start + MARGIN, start + LEADER_GRACE] {
        while Instant::now() < deadline {
            wait_for_child(children, deadline);
            if let Some(end) = look_at(leader)? {
                return Ok(Some(end));
            }
        }
        let _ = killpg(leader, Signal::SIGCONT); // the daemon may have stopped it
    }
    Ok(None)
}

fn look_at(leader: Pid) -> io::Result<Option<End>> {
    let end = |is_well, reaped| if is_well { End::Well } else { End::Badly { reaped } };
    match sys::look_at(leader) {
        Ok(ended) => Ok(ended.map(|is_well| end(is_well, None))),
        // A filter of system calls that is older than waitid(2).
        Err(_) => Ok(sys::reap(leader)?.map(|(_, status)| end(status.success(), Some(status)))),
    }
}

/// The leader did not report what became of the start: the group is ended here. No other group can get its number as long
/// as the leader is not reaped, or another child of ours is a member.
fn leader_failed(leader: Pid, reaped: Option<ExitStatus>, children: &Children, what: &str) -> Report {
    let aftermath = process_group::terminate(leader, reaped.is_none().then_some(leader), children, None);
    let has_ended = !matches!(sys::look_at(leader), Ok(None)); // by itself
    if !aftermath.is_empty {
        let _ = killpg(leader, Signal::SIGKILL);
    }
    match reaped.or(aftermath.status).or_else(|| reap(leader, children)).filter(|_| has_ended) {
        Some(status) => Report::ended("the session leader", status),
        None => Report::failed(format!("the session leader did not {what} in time")),
    }
}

fn end_now(leader: Pid, children: &Children) {
    let _ = killpg(leader, Signal::SIGKILL);
    reap(leader, children);
}

/// Waits for the end of a group that was killed, the leader's, and of whom it adopts of it. Even then they may be stuck in
/// the kernel.
fn reap(leader: Pid, children: &Children) -> Option<ExitStatus> {
    let members = Pid::from_raw(-leader.as_raw());
    let deadline = Instant::now() + MARGIN;
    let mut status = None;
    loop {
        let leader_has_ended = process_group::reap_all(leader, Some(leader), &mut status);
        let group_has_ended = process_group::reap_all(members, Some(leader), &mut status);
        if leader_has_ended && group_has_ended || Instant::now() >= deadline {
            return status;
        }
        wait_for_child(children, deadline);
    }
}

fn wait_for_child(children: &Children, deadline: Instant) {
    if children.wait([], Some(deadline)).is_err() {
        thread::sleep(Duration::from_millis(20)); // a filter of system calls: look again
    }
}
