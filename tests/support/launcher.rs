//! The other end of a launch: a launcher that runs, and what came of it.

use std::{
    io::Read,
    os::{fd::AsFd, unix::process::ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{DEADLINE, Process, eventually};

/// A launcher that runs, with a pipe for its output, as `x=$(launcher)` has. It is killed when this is dropped.
#[derive(Debug)]
pub struct Launcher {
    child: Child,
    /// The process.
    pub process: Process,
}

/// What a launcher did, once it had ended and all who held its output had closed it.
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
    pub fn end(mut self) -> Launch {
        let stdout = self.child.stdout.take().expect("a pipe");
        let stderr = self.child.stderr.take().expect("a pipe");
        let (stdout, stderr) = thread::scope(|scope| {
            let stdout = scope.spawn(|| read_to_end(stdout));
            let stderr = read_to_end(stderr);
            (stdout.join().expect("the end of standard output"), stderr)
        });
        let status = eventually("the end of a launcher", || self.child.try_wait().expect("wait for a launcher"));
        Launch { status: shell_status(status), stdout, stderr }
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

/// Reads until everyone has closed the other end.
fn read_to_end(mut pipe: impl Read + AsFd) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let mut ready = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(DEADLINE).expect("a deadline");
        let came = poll(&mut ready, timeout).expect("wait for output");
        assert_ne!(came, 0, "the output of a launcher stays open; so far: {}", String::from_utf8_lossy(&bytes));
        match pipe.read(&mut buffer).expect("read output") {
            0 => break,
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
