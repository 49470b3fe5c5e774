//! The other end of a launch: a launcher that runs, and what came of it.

use std::{
    convert,
    io::Read,
    os::{fd::AsFd, unix::process::ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{DEADLINE, Process, within, words::in_own_words};

/// A launcher that runs, with a pipe for its output, as `x=$(launcher)` has. It is killed when this is dropped.
#[derive(Debug)]
pub struct Launcher {
    child: Child,
    /// The process.
    pub process: Process,
}

/// What a launcher did, once it had ended and all who held its output had closed it; errors are in the words of the test's
/// own C library.
#[derive(Debug)]
pub struct Launch {
    /// As `$?` shows it: the exit status, or 128 and the signal.
    pub status: i32,
    /// All that came out of standard output.
    pub stdout: String,
    /// All that came out of standard error.
    pub stderr: String,
}

impl Launcher {
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start a launcher");
        Self { process: Process(i32::try_from(child.id()).expect("a process id")), child }
    }

    /// Waits until it has ended, and its output is closed.
    ///
    /// # Panics
    ///
    /// Panics when that does not happen in time.
    #[must_use]
    pub fn end(self) -> Launch {
        self.end_within(DEADLINE).unwrap_or_else(|so_far| panic!("a launcher or its output does not end: {so_far:?}"))
    }

    /// Waits that long at most until it has ended, and its output is closed.
    ///
    /// # Errors
    ///
    /// What there is so far when the time is over: without a status, -1, where the launcher goes on.
    ///
    /// # Panics
    ///
    /// Panics when the system refuses to wait or to read.
    pub fn end_within(mut self, time: Duration) -> Result<Launch, Launch> {
        let end = Instant::now() + time;
        let stdout = self.child.stdout.take().expect("a pipe");
        let stderr = self.child.stderr.take().expect("a pipe");
        let (stdout, stderr) = thread::scope(|scope| {
            let stdout = scope.spawn(|| read_to_end(stdout, end));
            let stderr = read_to_end(stderr, end);
            (stdout.join().expect("standard output"), stderr)
        });
        let left = end.saturating_duration_since(Instant::now());
        let status = within(left, || self.child.try_wait().expect("wait for a launcher"));
        let is_over = status.is_some() && stdout.is_ok() && stderr.is_ok();
        let launch = Launch {
            status: status.map_or(-1, shell_status),
            stdout: stdout.unwrap_or_else(convert::identity),
            stderr: stderr.unwrap_or_else(convert::identity),
        };
        if is_over { Ok(launch) } else { Err(launch) }
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// POSIX sh 2.8.2.
fn shell_status(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// Reads until everyone has closed the other end; an error is what came until then.
fn read_to_end(mut pipe: impl Read + AsFd, end: Instant) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let mut ready = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        let left = end.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).expect("a time");
        if poll(&mut ready, timeout).expect("wait for output") == 0 {
            return Err(String::from_utf8_lossy(&bytes).into_owned());
        }
        match pipe.read(&mut buffer).expect("read output") {
            0 => return Ok(in_own_words(&String::from_utf8_lossy(&bytes))),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}
