//! An upgrade, on the side of the old supervisor: it executes the program again, and waits until a new supervisor says
//! that it can take over. [`handover`](super::handover) describes what is sent on the line.

use std::{
    fmt::{self, Write},
    io::{self, Read},
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixStream,
    },
    process::ExitStatus,
    time::{Duration, Instant},
};

use nix::{
    libc,
    unistd::{ForkResult, Pid, getpid},
};

use super::{
    launch::{Descriptors, HandedOver, Launch},
    said::Said,
};
use crate::{start::process_group, sys, threads::SingleThread};

/// `setup` and the start may take twice as long as the start of this daemon could.
const SETUP_AND_START: u32 = 2;

/// How often to read before looking at anything else.
const READS: usize = 256;

/// How long a new supervisor may take to write its number, before it is continued, for it may be stopped, and after that.
const UNTIL_CONTINUED: Duration = Duration::from_secs(1);
const UNTIL_CONFIRMED: Duration = Duration::from_secs(10);

/// How long a program that has closed its line, or was killed, may take to end.
const UNTIL_END: Duration = Duration::from_secs(1);

pub(super) struct Upgrade {
    /// The new program. It begins as a launcher.
    launcher: Pid,
    ended: Option<ExitStatus>,
    /// None if the new program has closed it.
    line: Option<UnixStream>,
    stderr: Option<UnixStream>,
    said: Said,
    limit: Duration,
    deadline: Option<Instant>,
    /// The new supervisor, once it was told that it may take over.
    successor: Option<Pid>,
    /// Whether that was late, and sent a signal to continue.
    is_continued: bool,
}

/// The new supervisor.
pub(super) struct Successor {
    pub(super) pid: Pid,
    /// None if it has ended.
    pub(super) line: Option<UnixStream>,
}

pub(super) enum Progress {
    GoesOn,
    Done(Successor),
    Failed,
}

impl Upgrade {
    /// Executes the program in a child. Returns only in the parent.
    pub(super) fn begin(
        launch: &Launch,
        name: &str,
        handed_over: HandedOver<'_>,
        start_timeout: Duration,
        thread: &SingleThread,
    ) -> io::Result<Self> {
        let (line, its_line) = pair()?;
        let (stderr, its_stderr) = pair()?;
        let said = Said::nothing()?;
        let supervisor = getpid();
        match sys::fork(thread)? {
            ForkResult::Parent { child: launcher } => {
                let limit = start_timeout.saturating_mul(SETUP_AND_START);
                Ok(Self {
                    launcher,
                    ended: None,
                    line: Some(line),
                    stderr: Some(stderr),
                    said,
                    limit,
                    deadline: Instant::now().checked_add(limit),
                    successor: None,
                    is_continued: false,
                })
            }
            ForkResult::Child => {
                process_group::end_with(supervisor); // without the line, the program would not know of an upgrade
                let descriptors =
                    Descriptors { line: its_line.as_raw_fd(), stderr: its_stderr.as_raw_fd(), handed_over };
                let error = launch.execute(&descriptors);
                let _ = sys::send(io::stderr().as_fd(), format!("{name}: {error:#}\n").as_bytes());
                sys::exit_now(1)
            }
        }
    }

    /// The sockets that may have something to read.
    pub(super) fn sockets(&self) -> [Option<&UnixStream>; 2] {
        [self.line.as_ref(), self.stderr.as_ref()]
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// That child of this process has ended.
    pub(super) fn note_end(&mut self, child: Pid, status: ExitStatus) {
        if child == self.launcher {
            self.ended = Some(status);
        }
    }

    /// Reads what has arrived. The program's messages begin with that name.
    pub(super) fn advance(&mut self, name: &str) -> Progress {
        self.listen();
        if let Some(line) = &self.line {
            let mut word = [0; 4];
            match (self.successor, hear(line, &mut word)) {
                (None, Heard::Bytes) => self.answer(Pid::from_raw(i32::from_ne_bytes(word))),
                (Some(pid), Heard::Bytes) => {
                    return Progress::Done(Successor { pid, line: self.line.take() });
                }
                (_, Heard::Nothing) => {}
                (_, Heard::End) => self.line = None,
            }
        }
        let is_over = self.deadline.is_some_and(|deadline| deadline <= Instant::now());
        match (self.successor, &self.line) {
            (Some(successor), Some(_)) if is_over && !self.is_continued => {
                let _ = sys::kill(successor, libc::SIGCONT);
                self.is_continued = true;
                self.deadline = Some(Instant::now() + UNTIL_CONFIRMED);
                Progress::GoesOn
            }
            (Some(_), Some(_)) if is_over => {
                self.fail(format_args!("the new supervisor did not take over within {UNTIL_CONFIRMED:?}"))
            }
            (Some(_), Some(_)) => Progress::GoesOn, // the launcher does not matter any more
            (Some(_), None) => self.fail(format_args!("the new supervisor ended while it took over")),
            (None, _) => {
                if let Some(status) = self.ended {
                    self.said.finish(name);
                    return self.fail_unless_it_said_why(format_args!("the new program ended, {status}"));
                }
                if is_over {
                    let limit = self.limit;
                    return self.fail(format_args!("the new daemon was not ready within {limit:?}"));
                }
                if self.line.is_none() {
                    // It is about to end: its daemon could not become ready any more.
                    let end = Instant::now() + UNTIL_END;
                    self.deadline = Some(self.deadline.map_or(end, |deadline| deadline.min(end)));
                }
                Progress::GoesOn
            }
        }
    }

    fn fail(&mut self, why: fmt::Arguments<'_>) -> Progress {
        self.said.clear();
        self.fail_unless_it_said_why(why)
    }

    fn fail_unless_it_said_why(&mut self, why: fmt::Arguments<'_>) -> Progress {
        if self.said.is_empty() {
            let _ = self.said.write_fmt(why); // it never fails
        }
        Progress::Failed
    }

    /// Why it failed.
    pub(super) fn reason(&self) -> &[u8] {
        self.said.trimmed()
    }

    /// Reads more than a socket holds, but not for ever if somebody keeps writing.
    fn listen(&mut self) {
        for _ in 0..READS {
            let Some(stderr) = &self.stderr else { return };
            match self.said.read(stderr) {
                Ok(true) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(false) | Err(_) => self.stderr = None,
            }
        }
    }

    fn answer(&mut self, successor: Pid) {
        // Other numbers do not name a single process, kill(2).
        let is_process = successor.as_raw() > 1;
        if is_process && self.line.as_ref().is_some_and(|line| sys::send(line.as_fd(), &[0]).is_ok()) {
            self.successor = Some(successor);
            self.deadline = Some(Instant::now() + UNTIL_CONTINUED);
        } else {
            self.line = None;
        }
    }

    /// Ends what it started. The leader of the new start sees that its launcher has ended.
    ///
    /// A new supervisor that may take over is waited for: it may be about to write its number.
    pub(super) fn end(&self) {
        for process in [Some(self.launcher).filter(|_| self.ended.is_none()), self.successor].into_iter().flatten() {
            let _ = sys::kill(process, libc::SIGKILL);
        }
        if let Some(line) = self.line.as_ref().filter(|_| self.successor.is_some()) {
            let _ = line.set_nonblocking(false).and_then(|()| line.set_read_timeout(Some(UNTIL_END)));
            while let Heard::Bytes = hear(line, &mut [0]) {}
        }
    }

    /// Whether the pidfile may already name a new supervisor.
    pub(super) fn has_named_successor(&self) -> bool {
        self.successor.is_some()
    }
}

impl Successor {
    pub(super) fn has_ended(&mut self) -> bool {
        self.line.take_if(|line| matches!(hear(line, &mut [0]), Heard::End));
        self.line.is_none()
    }

    /// Says that the old daemon has ended, if the end of this process does not show it.
    pub(super) fn let_go(&self) {
        if let Some(line) = &self.line {
            let _ = sys::send(line.as_fd(), &[0]);
        }
    }
}

/// A socket pair. Our end does not block.
fn pair() -> io::Result<(UnixStream, UnixStream)> {
    let (own, its) = UnixStream::pair()?;
    own.set_nonblocking(true)?;
    Ok((own, its))
}

enum Heard {
    Nothing,
    Bytes,
    End,
}

/// The other side sends each message at once.
fn hear(mut line: &UnixStream, word: &mut [u8]) -> Heard {
    match sys::uninterrupted(|| line.read(word)) {
        Ok(0) => Heard::End,
        Ok(_) => Heard::Bytes,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Heard::Nothing,
        Err(_) => Heard::End,
    }
}
