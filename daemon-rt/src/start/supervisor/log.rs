//! The lines of the supervisor: in the system's log, and also in the daemon's log if that is a file.

use std::{
    fmt, process,
    time::{Duration, Instant},
};

use nix::{
    libc::{self, c_int},
    sys::stat::SFlag,
    unistd::{ForkResult, Pid, getpid},
};

use super::{
    end::{End, How, Next},
    line::Line,
    supervise::{Supervisor, send},
};
use crate::{
    Error, Respawn,
    start::{prepared::Remaining, process_group},
    sys::{self, StandardStream},
    syslog,
    terminal::shown,
};

/// How long a line may take on its way to the log.
const UNTIL_WRITTEN: Duration = Duration::from_secs(2);

impl Supervisor<'_> {
    pub(super) fn tell(&mut self, end: &End, next: Next) {
        let is_error = end.is_failure() && !matches!(next, Next::EndsAsAsked);
        let how = How { end, start_timeout: self.remaining.start_timeout };
        let (daemon, status) = (end.daemon, end.status);
        let Respawn { limit, period, .. } = self.supervision.respawn;
        let limit = limit.unwrap_or_default();
        let priority = if is_error { libc::LOG_ERR } else { libc::LOG_NOTICE };
        match next {
            Next::StartsAgain(delay) => self.say(
                priority,
                format_args!("process {daemon} {how}, {status}; the daemon is started again in {delay:?}"),
            ),
            Next::Ends => self.say(priority, format_args!("process {daemon} {how}, {status}")),
            Next::EndsAsAsked => {
                self.say(priority, format_args!("process {daemon} {how} as it was asked to, {status}"));
            }
            Next::EndsAtLimit => self.say(
                priority,
                format_args!(
                    "process {daemon} {how}, {status}; it is not started again: the limit is {limit} in {period:?}"
                ),
            ),
        }
    }

    /// Writes one line to the system's log, and also to the daemon's log if that is a file.
    pub(super) fn say(&mut self, priority: c_int, text: fmt::Arguments<'_>) {
        let name = self.remaining.name.as_str();
        let short = name.char_indices().nth(syslog::NAME_LIMIT).map_or(name, |(end, _)| &name[..end]);
        let (facility, id) = (libc::LOG_DAEMON, process::id());
        syslog::send_line(Line::new(format_args!("<{}>{short}[{id}]: {text}", facility | priority), 0).bytes());
        if stderr_is_a_file() {
            self.write(&Line::new(format_args!("{name}: {text}"), b'\n'));
        }
    }

    /// Only the daemon may find out which file is now at the path of the log: with its own rights, and in its root
    /// directory. So another process writes the line.
    fn write(&mut self, line: &Line) {
        let supervisor = getpid();
        match sys::fork(self.thread) {
            Ok(ForkResult::Child) => self.write_as_daemon(line, supervisor),
            Ok(ForkResult::Parent { child: writer }) => self.await_writer(writer),
            Err(_) => write(line),
        }
    }

    fn write_as_daemon(&mut self, line: &Line, supervisor: Pid) -> ! {
        let Remaining { common, streams, .. } = &mut self.remaining;
        let is_as_daemon = common.apply_for_log(self.thread).is_ok();
        process_group::end_with(supervisor); // it has also locked the pidfile
        if is_as_daemon {
            streams.watch_logs();
            streams.open_anew();
        }
        write(line);
        sys::exit_now(0)
    }

    fn await_writer(&self, writer: Pid) {
        let deadline = Instant::now() + UNTIL_WRITTEN;
        while let Ok(None) = sys::reap(writer) {
            if deadline <= Instant::now() {
                send(writer, &[libc::SIGKILL]); // its file system may not answer; it is reaped with the next daemon
                break;
            }
            let _ = self.children.wait([], Some(deadline));
            self.children.let_signals_in();
        }
        self.children.look_again(); // the daemon may have ended meanwhile
    }
}

pub(super) fn say_failure(name: &str, error: &Error) {
    syslog::say(name, &format!("{error:#}"));
    if stderr_is_a_file() {
        let line = format!("{name}: {}\n", shown(&format!("{error:#}")));
        let _ = sys::write_at_once(StandardStream::Stderr, [line.as_bytes(), b""]);
    }
}

fn stderr_is_a_file() -> bool {
    sys::status_of(libc::STDERR_FILENO).is_ok_and(|status| sys::kind_of(&status) == SFlag::S_IFREG)
}

/// If the disk is full, or the size of files is limited, only the line is lost: SIGXFSZ is blocked.
fn write(line: &Line) {
    let _ = sys::write_at_once(StandardStream::Stderr, [line.bytes(), b""]);
}
