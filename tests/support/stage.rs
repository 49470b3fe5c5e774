//! A directory and a socket for one test, and everything that it starts there.

use std::{
    cell::Cell,
    ffi::OsStr,
    fs::{self, File, Permissions},
    os::{
        fd::AsFd,
        unix::{
            fs::PermissionsExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use nix::{
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sched::{CloneFlags, unshare},
    sys::{prctl::set_child_subreaper, signal::Signal},
};
use tempfile::TempDir;

use crate::{DEADLINE, Daemon, Launch, Launcher, Process, processes_marked, words::in_own_words};

/// The stage of one test.
#[derive(Debug)]
pub struct Stage {
    directory: TempDir,
    listener: UnixListener,
    mark: String,
}

impl Stage {
    /// A new directory, in which a probe finds the socket to report to. Nothing is open in the test before.
    ///
    /// # Panics
    ///
    /// Panics when the system refuses these.
    #[must_use]
    pub fn new() -> Self {
        own_descriptors();
        Self::of_the_process()
    }

    /// The same for a test that holds a pidfile itself: what it opens is seen to be open in this process.
    ///
    /// # Panics
    ///
    /// Panics when the system refuses it.
    #[must_use]
    pub fn of_the_process() -> Self {
        // Daemons become children of the test, which learns how they end, and their numbers stay theirs until then.
        set_child_subreaper(true).expect("become a subreaper");
        let directory = TempDir::new().expect("create a directory");
        let socket = directory.path().join("probe.socket");
        let listener = UnixListener::bind(&socket).expect("bind a socket");
        Self { mark: format!("PROBE_SOCKET={}", socket.display()), directory, listener }
    }

    /// Lets other users enter the directory, and reach the socket.
    ///
    /// # Panics
    ///
    /// Panics when the system refuses that.
    pub fn open_to_all(&self) {
        for (path, mode) in [(self.directory().to_owned(), 0o755), (self.path("probe.socket"), 0o666)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
        }
    }

    /// The directory in which everything is launched.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A path in that directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Creates a directory in that directory.
    ///
    /// # Panics
    ///
    /// Panics when the system refuses it.
    pub fn create_directory(&self, name: &str) {
        fs::create_dir(self.path(name)).expect("create a directory");
    }

    /// The text of a file in that directory, with errors in the words of the test's own C library; empty where there is
    /// none.
    #[must_use]
    pub fn read(&self, name: &str) -> String {
        in_own_words(&fs::read_to_string(self.path(name)).unwrap_or_default())
    }

    /// A program in this stage: launched in its directory, without input, and found by its mark.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let (key, value) = self.mark.split_once('=').unwrap_or_default();
        let mut command = Command::new(program);
        command.current_dir(self.directory()).env(key, value).env("RUST_BACKTRACE", "0").stdin(Stdio::null());
        command
    }

    /// A program after that script of the shell, in a mount namespace of its own: it sees other file systems than
    /// everybody else. It takes root.
    #[must_use]
    pub fn command_behind(&self, script: &str, program: &str) -> Command {
        let mut command = self.command("unshare");
        let script = format!("{script} && exec \"$@\"");
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh", program]);
        command
    }

    /// Runs a launcher as `x=$(launcher)` does: until it has ended, and its output is closed.
    ///
    /// # Panics
    ///
    /// Panics when it cannot be started, or does not end in time.
    pub fn launch(&self, command: &mut Command) -> Launch {
        self.start(command).end()
    }

    /// Starts a launcher, and goes on while it runs.
    ///
    /// # Panics
    ///
    /// Panics when it cannot be started.
    pub fn start(&self, command: &mut Command) -> Launcher {
        Launcher::start(command)
    }

    /// The daemon of a start that succeeds in silence.
    ///
    /// # Panics
    ///
    /// Panics when it does not.
    #[must_use]
    pub fn started(&self, command: &mut Command) -> Daemon {
        let launch = self.launch(command);
        assert_eq!((launch.status, launch.stderr.as_str()), (0, ""), "{command:?}");
        self.daemon()
    }

    /// Asserts that a start fails, says that line and nothing else, and leaves nothing behind. `{}` in the line stands
    /// for the directory.
    ///
    /// # Panics
    ///
    /// Panics when it does not.
    pub fn refuses(&self, command: &mut Command, line: &str) {
        let before = self.files();
        let Launch { status, stdout, stderr } = self.launch(command);
        let directory = self.directory().canonicalize().expect("a path");
        let line = line.replace("{}", &directory.to_string_lossy());
        assert_eq!((status, stdout.as_str(), stderr), (1, "", format!("{line}\n")), "{command:?}");
        assert!(self.no_daemon_reported(), "main ran");
        assert_eq!(self.processes(), [], "left behind");
        assert_eq!(self.files(), before, "left behind");
    }

    /// The next daemon to report.
    ///
    /// # Panics
    ///
    /// Panics when none does in time.
    #[must_use]
    pub fn daemon(&self) -> Daemon {
        self.daemon_within(DEADLINE).unwrap_or_else(|| panic!("no daemon reported; alive: {:?}", self.processes()))
    }

    /// The next daemon to report, if one does in that time.
    #[must_use]
    pub fn daemon_within(&self, time: Duration) -> Option<Daemon> {
        self.connection_within(time).map(Daemon::new)
    }

    /// The next connection to the socket, for whoever wants to speak to a daemon without a [`Daemon`].
    ///
    /// # Panics
    ///
    /// Panics when the system refuses it.
    #[must_use]
    pub fn connection_within(&self, time: Duration) -> Option<UnixStream> {
        let timeout = PollTimeout::try_from(time).expect("a time");
        let mut ready = [PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        let came = poll(&mut ready, timeout).expect("wait for a connection") == 1;
        came.then(|| self.listener.accept().expect("a connection").0)
    }

    /// Whether nobody has come to report.
    #[must_use]
    pub fn no_daemon_reported(&self) -> bool {
        let mut ready = [PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        poll(&mut ready, PollTimeout::ZERO) == Ok(0)
    }

    /// Hangs up on the next daemon to report.
    ///
    /// # Panics
    ///
    /// Panics when there is none.
    pub fn refuse_daemon(&self) {
        drop(self.listener.accept().expect("a connection"));
    }

    /// Everybody alive who was started in this stage.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        processes_marked(&self.mark)
    }

    /// The names in the directory, but for the socket.
    ///
    /// # Panics
    ///
    /// Panics when the directory cannot be read.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory()).expect("read the directory");
        let mut names: Vec<_> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name != "probe.socket")
            .collect();
        names.sort();
        names
    }

    /// A copy of a program in the directory, for a user who cannot reach it where it was built.
    ///
    /// It is a child that copies: what this process has open to write, whatever another test forks meanwhile has, too,
    /// and to execute it fails (ETXTBSY).
    ///
    /// # Panics
    ///
    /// Panics when it cannot be copied.
    #[must_use]
    pub fn copy(&self, program: impl AsRef<Path>) -> PathBuf {
        let copied = Command::new("cp").arg(program.as_ref()).arg(self.directory()).status().expect("start cp");
        assert!(copied.success(), "cannot copy {}", program.as_ref().display());
        self.path(&program.as_ref().file_name().expect("a name").to_string_lossy())
    }

    /// An open file of the directory, empty at first, for a command's output.
    ///
    /// # Panics
    ///
    /// Panics when it cannot be created.
    #[must_use]
    pub fn create(&self, name: &str) -> File {
        File::create(self.path(name)).expect("create a file")
    }
}

/// Gives this thread, and those that it starts, descriptors of their own, and none yet. What another test starts has all
/// of this process's for a moment, until it is exec'ed: a lock that was given up would still be held, and a terminal open.
#[allow(unsafe_code)]
fn own_descriptors() {
    thread_local!(static ARE_OWN: Cell<bool> = const { Cell::new(false) });
    if !ARE_OWN.replace(true) {
        unshare(CloneFlags::CLONE_FILES).expect("descriptors of its own");
        // SAFETY: these are copies. What they are copies of stays open, and its owners are other threads.
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // One in the middle of an exec has no environment for a moment: look twice.
        let mut empty_looks = 0;
        while empty_looks < 2 {
            let left = self.processes();
            empty_looks = if left.is_empty() { empty_looks + 1 } else { 0 };
            for process in left {
                process.signal(Signal::SIGKILL);
            }
        }
    }
}
