//! What a start is graded by, and where each rule comes from.

use std::ops::Range;

use crate::{
    context, launcher, logs, manager, pidfile, privileges, program::Program, respawn, stop, theirs, verdict::Verdict,
};

#[derive(Clone, Copy)]
pub(crate) struct Criterion {
    /// A number is that of the step in daemon(7).
    pub(crate) id: &'static str,
    pub(crate) rule: &'static str,
    /// Where the rule stands: in daemon(7) where no other place is named. The contract is that of `Daemon::run`.
    pub(crate) source: &'static str,
    pub(crate) look: fn(&Program) -> Verdict,
}

/// The source of what this crate promises, and daemon(7) does not ask for.
pub(crate) const CONTRACT: &str = "contract";

const fn criterion(
    id: &'static str,
    rule: &'static str,
    source: &'static str,
    look: fn(&Program) -> Verdict,
) -> Criterion {
    Criterion { id, rule, source, look }
}

#[rustfmt::skip]
pub(crate) const CRITERIA: [Criterion; 73] = [
    criterion("1", "inherited descriptors are closed", "step 1", context::descriptors),
    criterion("2a", "no signal is ignored that was ignored at the launch", "step 2", context::ignored_signals),
    criterion("2b", "the same for real-time signals", "step 2", context::ignored_real_time_signals),
    criterion("2c", "the same for SIGCHLD, and the start succeeds", "step 2, wait(2)", context::ignored_sigchld),
    criterion("3", "no signal is blocked", "step 3", context::mask),
    criterion("4a", "`HOME`, `USER`, `LOGNAME` and `SHELL` are those of the user that it becomes", "step 4, systemd.exec(5)", privileges::variables),
    criterion("4b", "its environment can be limited to variables that are named", "step 4", context::chosen_variables),
    criterion("5", "it runs when the launcher has ended", "step 5", context::background),
    criterion("6", "it has a session of its own, and no terminal controls it", "step 6", context::session),
    criterion("7", "a terminal that it opens does not become its controlling terminal", "step 7", context::later_terminal),
    criterion("8", "process 1 adopts it, and no other process of the start is left", "step 8", context::parent),
    criterion("9a", "its streams are the null device", "step 9", context::null_streams),
    criterion("9b", "the same if descriptors 0 to 2 are closed at the launch", "step 9", context::closed_streams),
    criterion("9c", "its output can be appended to a log", "systemd.exec(5), `append:`", context::log),
    criterion("9d", "the same if descriptors 0 to 2 are closed at the launch", "systemd.exec(5), `append:`", context::closed_streams_and_log),
    criterion("10", "its umask can be 0, whatever the launcher's is", "step 10", context::umask),
    criterion("11", "its directory is `/`", "step 11", context::directory),
    criterion("12a", "its process id is in its pidfile when `main` begins", "step 12", pidfile::content),
    criterion("12b", "only one instance runs", "step 12", pidfile::one_instance),
    criterion("12c", "only one instance runs if eight are started at once", "step 12", pidfile::at_once),
    criterion("12d", "it starts even if a killed daemon left its pidfile behind", "step 12", pidfile::left_behind),
    criterion("12e", "it starts even if the pidfile has another process's id", "step 12", pidfile::of_another_process),
    criterion("12f", "the pidfile is locked", CONTRACT, pidfile::lock),
    criterion("12g", "the pidfile is removed when `main` returns", CONTRACT, pidfile::removal),
    criterion("12h", "a relative path starts from the directory of the launch", CONTRACT, pidfile::relative_path),
    criterion("12i", "the pidfile is removed even if the daemon runs as another user", CONTRACT, pidfile::removal_as_another_user),
    criterion("13a", "all its user and group ids change", "step 13, credentials(7)", privileges::ids),
    criterion("13b", "it keeps no supplementary group of the launcher's", "step 13, initgroups(3)", privileges::groups),
    criterion("13c", "it keeps no capability", "step 13, capabilities(7)", privileges::capabilities),
    criterion("14a", "the launcher waits until `main` is ready", "step 14", launcher::waits),
    criterion("14b", "the launcher gives up on a `main` that never gets ready, and ends it", "systemd.service(5), `TimeoutStartSec=`", launcher::timeout),
    criterion("14c", "if the launcher is interrupted before that, it leaves no daemon", CONTRACT, launcher::interrupt),
    criterion("15a", "the launcher's exit status is 0 when `main` is ready", "step 15", launcher::ends_when_ready),
    criterion("15b", "`x=$(program 2>&1)` returns when the launcher exits, and is empty", CONTRACT, launcher::output_is_closed),
    criterion("C1", "a log cannot be opened: the exit status is not 0, the step is named, no process is left", CONTRACT, launcher::log_that_cannot_be_opened),
    criterion("C2", "a pidfile cannot be created: the same", CONTRACT, launcher::pidfile_that_cannot_be_created),
    criterion("C3", "a directory is missing: the same", CONTRACT, launcher::directory_that_is_missing),
    criterion("C4", "a user is unknown: the same", CONTRACT, launcher::user_that_is_unknown),
    criterion("C5", "in each of these four, the object is named", CONTRACT, launcher::objects),
    criterion("C6", "another instance runs: the exit status is not 0, and a message is printed", CONTRACT, pidfile::second_start_is_refused),
    criterion("C7", "`main` exits before it is ready: the launcher's exit status is not 0", CONTRACT, launcher::death_before_ready),
    criterion("C8", "the launcher's exit status is then that of `main`", CONTRACT, launcher::status_of_the_daemon),
    criterion("C9", "what `main` wrote to standard error is then shown", CONTRACT, launcher::last_words),
    criterion("C10", "a child of `main` is then ended, too", CONTRACT, launcher::children_of_the_dead),
    criterion("C11", "the next start with that pidfile succeeds", CONTRACT, launcher::pidfile_after_a_failure),
    criterion("C12", "text in a buffer of the launcher is written only once", "fork(), POSIX", launcher::buffered_output),
    criterion("C13", "a second thread before the start is noticed", "fork(), POSIX", launcher::second_thread),
    criterion("N1", "started by systemd, it stays in the foreground", "new-style daemons", manager::stays_under_systemd),
    criterion("N2", "started by systemd, it says when it is ready", "sd_notify(3)", manager::tells_systemd),
    criterion("N3", "started by inetd, it stays in the foreground", "inetd(8)", manager::stays_under_inetd),
    criterion("S1", "SIGTERM ends it, and its pidfile is removed", CONTRACT, stop::by_a_signal),
    criterion("S2", "`main` can notice SIGTERM, finish its work, and return", "new-style daemons", stop::in_order),
    criterion("S3", "if that takes longer than a limit, it is ended, and its log says why", CONTRACT, stop::within_a_limit),
    criterion("S4", "a command stops it, and returns when it has ended", "LSB, 22.2", stop::command_waits),
    criterion("S5", "the command kills a daemon that does not react", "systemd.kill(5), `SendSIGKILL=`", stop::command_kills),
    criterion("S6", "the command does not end another process that has the process id of a killed daemon", CONTRACT, stop::wrong_process),
    criterion("S7", "a command tells a running daemon from a killed one", "LSB, 22.2", stop::status),
    criterion("R1", "if it is killed, it is started again", "systemd.service(5), `Restart=`", respawn::after_a_kill),
    criterion("R2", "no connection is refused meanwhile", CONTRACT, respawn::connections_wait),
    criterion("R3", "it is not started again when `main` has returned without an error", "systemd.service(5), `Restart=on-failure`", respawn::not_after_a_success),
    criterion("R4", "if it fails too often, it is not started again", "systemd.unit(5), `StartLimitBurst=`", respawn::gives_up),
    criterion("R5", "only one instance runs, even after its supervisor was killed", CONTRACT, respawn::one_instance),
    criterion("R6", "SIGTERM to the process that the pidfile names ends all processes, and the pidfile is removed", CONTRACT, respawn::ends_with_it),
    criterion("U1", "a new version of the program takes over from the running one", CONTRACT, respawn::takes_over),
    criterion("U2", "no connection is refused meanwhile", CONTRACT, respawn::no_connection_is_refused),
    criterion("U3", "if the new version fails, the old one runs on, and the command fails", CONTRACT, respawn::failing_version),
    criterion("L1", "after its log was truncated, it writes at the beginning of the file", "logrotate(8), `copytruncate`", logs::truncated),
    criterion("L2", "SIGHUP makes it reopen its log", "logrotate(8), `create`", logs::reopened),
    criterion("L3", "beyond a certain size, it starts a new log by itself, and loses no line", CONTRACT, logs::rotated),
    criterion("O1", "it writes no core file", "setrlimit(2)", theirs::core_file),
    criterion("O2", "it can be given a priority", "nice(2)", theirs::priority),
    criterion("O3", "it can make a daemon of a program that was not written for it", "daemonize(1)", theirs::any_program),
    criterion("O4", "the exit status tells one failure from another: an unknown user, another instance", "sysexits.h", theirs::kinds_of_failure),
];

/// A part of the criteria, which is a table of its own.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    /// For the head of a column.
    pub(crate) short: &'static str,
    first: &'static str,
}

pub(crate) const GROUPS: [Group; 10] = [
    Group { title: "The process", short: "process", first: "1" },
    Group { title: "The pidfile", short: "pidfile", first: "12a" },
    Group { title: "Another user", short: "user", first: "13a" },
    Group { title: "The launcher", short: "launcher", first: "14a" },
    Group { title: "Managers", short: "managers", first: "N1" },
    Group { title: "The end", short: "end", first: "S1" },
    Group { title: "Respawn", short: "respawn", first: "R1" },
    Group { title: "Upgrade", short: "upgrade", first: "U1" },
    Group { title: "Logs", short: "logs", first: "L1" },
    Group { title: "What other libraries have", short: "theirs", first: "O1" },
];

impl Group {
    /// The indices of its criteria.
    pub(crate) fn range(index: usize) -> Range<usize> {
        let place = |group: &Self| CRITERIA.iter().position(|criterion| criterion.id == group.first);
        let [start, end] = [GROUPS.get(index), GROUPS.get(index + 1)].map(|group| group.and_then(place));
        start.unwrap_or(0)..end.unwrap_or(CRITERIA.len())
    }
}
