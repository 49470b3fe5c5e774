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

/// How much later than `start_timeout` the leader may report. The leader enforces that timeout.
const MARGIN: Duration = Duration::from_secs(1);

/// How long the leader may take to end the group.
const LEADER_GRACE: Duration = Duration::from_secs(10);

/// Returns when the daemon is ready, or when the start has failed.
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
            mem::forget(prepared); // it all belongs to the daemon now, and files that it would remove are in use
            Ok(ready)
        }
        Report::Failed(error) => Err(error.and_stderr(prepared.streams.stderr_tail())),
    }
}

/// What the leader reports, after it has ended.
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
            // After this answer the daemon is ready, and Ctrl-C must not give another exit status.
            for signal in sys::INTERRUPTING {
                let _ = sys::ignore(signal);
            }
            let ready = Report::Ready(ready);
            match program {
                // The leader waits for this before it answers `ready()`.
                None => _ = sys::send(from_leader.as_fd(), &[0]),
                // The program itself answers the leader: whatever happens to this process then, both know the same. The
                // leader sees from its socket whether this process still exists.
                Some(program) => {
                    if let Err(error) = ready.send(program) {
                        // If the program was killed, this process will be killed, too. The leader must still be able to
                        // end the group.
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
            end_now(leader, children); // in case the leader cannot do it, as its last act
            failed
        }
        nothing => {
            let _ = from_leader.shutdown(Shutdown::Both); // a report that comes now fails, so that the leader knows
            let report = leader_failed(leader, None, children, "report");
            nothing.err().map_or(report, |error| Error::because("cannot hear from the session leader", error).into())
        }
    }
}

/// If the manager cannot be told, the daemon is still ready: the manager has its own timeout.
fn tell_manager(prepared: &Prepared, ready: &Ready) {
    let Some(Err(error)) = prepared.common.manager.as_ref().map(|manager| manager.ready_as(ready)) else { return };
    let step = format!("cannot tell the service manager that process {} is ready", ready.daemon);
    prepared.messages.say(&Error::because(step, error));
}

/// The same as [`tell_manager`].
fn tell_supervisor(prepared: &Prepared) {
    let Some(Err(error)) = prepared.ready_fd.as_ref().map(ReadyFd::tell) else { return };
    prepared.messages.say(&error);
}

/// None if the leader ended without a report, or is stuck.
fn receive(leader: Pid, from_leader: &UnixStream, timeout: Duration) -> io::Result<Option<Report>> {
    let deadline = Instant::now().checked_add(timeout).and_then(|end| end.checked_add(MARGIN));
    // A leader that was stopped, for example by the daemon, does not enforce a timeout.
    match Incoming::from_daemon().receive_or_resume(from_leader, deadline, || _ = killpg(leader, Signal::SIGCONT)) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        report => report,
    }
}

/// After it has reported that the daemon is ready, the leader answers `ready()` and exits with 0. If it does not, it
/// may not have answered.
fn after_ready(leader: Pid, ready: Report, children: &Children) -> Report {
    match await_end(leader, children) {
        Ok(Some(End::Well)) => {
            let _ = sys::reap(leader); // if process 1 of a container does not reap, it would stay a zombie
            ready
        }
        Ok(Some(End::Badly { reaped })) => leader_failed(leader, reaped, children, "report"),
        Ok(None) => leader_failed(leader, None, children, "end"),
        Err(_) => ready, // somebody else reaped it
    }
}

/// If the leader stays as the supervisor, it also sends an answer here, after it has answered `ready()`. In an upgrade
/// it may have taken over by then, so it has failed only if it ended or is stuck. Before that, it may have had to wait
/// itself.
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
    /// As long as the leader is not reaped, no other group can get its number.
    Badly {
        reaped: Option<ExitStatus>,
    },
}

/// None if it is stuck.
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
        // A filter of system calls that does not know waitid(2).
        Err(_) => Ok(sys::reap(leader)?.map(|(_, status)| end(status.success(), Some(status)))),
    }
}

/// The leader did not report what became of the start, so the group is ended here. No other group can get its number as
/// long as the leader is not reaped, or another child of this process is a member.
fn leader_failed(leader: Pid, reaped: Option<ExitStatus>, children: &Children, what: &str) -> Report {
    let aftermath = process_group::terminate(leader, reaped.is_none().then_some(leader), children, None);
    let has_ended = !matches!(sys::look_at(leader), Ok(None)); // without our signals
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

/// Reaps a killed group: the leader, and the members that this process adopts. They may be stuck in the kernel even
/// then.
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
        thread::sleep(Duration::from_millis(20)); // a filter of system calls: poll instead
    }
}
