//! The launcher after the fork: it waits for the result, shows it and leaves with it.

use std::{io, net::Shutdown, os::unix::net::UnixStream, process::ExitStatus, time::Duration};

use nix::{
    sys::signal::{SigSet, Signal, killpg},
    unistd::Pid,
};

use super::{children::Children, group, prepared::Prepared, report::Report};
use crate::{Error, complaints::Complaint, sys};

/// How late the leader may be, which keeps the time itself.
const MARGIN: Duration = Duration::from_secs(1);

/// How long the leader may take to end the group and say so.
const LEADER_GRACE: Duration = Duration::from_secs(10);

pub(crate) fn wait(leader: Pid, from_leader: UnixStream, prepared: Prepared) -> ! {
    let report = match receive(leader, &from_leader, prepared.start_timeout) {
        Ok(Some(report)) => report,
        nothing => {
            let _ = from_leader.shutdown(Shutdown::Both); // whatever it still reports, it learns that nobody hears it
            let report = leader_failed(leader, None);
            nothing.err().map_or(report, |error| Error::because("cannot hear from the session leader", error).into())
        }
    };
    if let Report::Ready(daemon) = report {
        tell_manager(&prepared, daemon);
    }
    drop(from_leader); // the leader has `ready()` wait for that
    // A first process of a container may reap nobody, and the leader would stay a zombie. When the daemon failed, the
    // leader is the last of its group to end. One that was killed behind its word may not have answered `ready()`.
    let report = match (report, sys::wait(leader)) {
        (Report::Ready(_), Ok(Some((_, status)))) if !status.success() => leader_failed(leader, Some(status)),
        (report, _) => report,
    };
    match report {
        Report::Ready(_) => sys::exit_now(0),
        Report::Failed { status, text } => {
            let (said, complaints) = (prepared.streams.said(), prepared.take_back());
            complaints.say(&said, Complaint::from_message(&text));
            sys::exit_now(status)
        }
    }
}

/// The daemon is ready whether the manager hears of it or not: that one's own patience will end.
fn tell_manager(prepared: &Prepared, daemon: u32) {
    let Some(Err(error)) = prepared.manager.as_ref().map(|manager| manager.ready_as(daemon)) else { return };
    prepared.complaints.say("", format!("cannot tell the service manager that process {daemon} is ready: {error}"));
}

/// None where the leader ended without a report, or is stuck.
fn receive(leader: Pid, from_leader: &UnixStream, timeout: Duration) -> io::Result<Option<Report>> {
    match receive_within(from_leader, timeout.checked_add(MARGIN)) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        report => return report,
    }
    let _ = killpg(leader, Signal::SIGCONT); // who is stopped, by the daemon for example, sees no time pass
    match receive_within(from_leader, Some(LEADER_GRACE)) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        report => report,
    }
}

/// No timeout means for ever.
fn receive_within(from_leader: &UnixStream, timeout: Option<Duration>) -> io::Result<Option<Report>> {
    from_leader.set_read_timeout(timeout)?;
    Report::receive(from_leader)
}

/// The leader ended without a result: the group is ended here. Its number cannot be another group's by then: either
/// the leader is not reaped yet, or somebody else is left in it.
fn leader_failed(leader: Pid, reaped: Option<ExitStatus>) -> Report {
    let status = Children::watch(SigSet::from(Signal::SIGCHLD)).ok().and_then(|children| {
        let aftermath = group::terminate(leader, reaped.is_none().then_some(leader), &children);
        if !aftermath.is_empty {
            let _ = killpg(leader, Signal::SIGKILL);
        }
        aftermath.status.or(reaped)
    });
    match status {
        Some(status) => Report::ended("the session leader", status),
        None => Report::failed("the session leader did not report in time"),
    }
}
