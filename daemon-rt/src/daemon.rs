//! The options of a start.

#[cfg(all(test, unix))]
mod tests;

#[cfg(unix)]
use std::os::fd::{OwnedFd, RawFd};
use std::{
    ffi::OsString,
    fmt::Display,
    path::PathBuf,
    process::{ExitCode, Termination},
    time::Duration,
};

#[cfg(not(unix))]
use crate::inherited::RawFd;
use crate::{
    Error, Id, LaunchedBy, Stdio, Umask,
    inherited::Inherited,
    pidfile::Lock,
    privileges::Identity,
    run,
    start::{
        self,
        streams::{REOPEN_LOGS, ReopenLogs},
    },
    umask::Mask,
};

/// The options of a daemon, and its start.
///
/// [`#[daemon]`](macro@crate::daemon) writes exactly this chain of calls: every key of the attribute but `crate` and
/// `setup`, which is an argument of [`run_with`](Self::run_with), is the method of the same name, described here.
/// `setup` gets the value to change what the attribute said, as [`std::process::Command`] is built: each method changes
/// the value and returns it.
///
/// Build it first thing in `main`: [`new`](Self::new) notes what the program inherited.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use daemon_rt::Daemon;
///
/// fn main() -> ExitCode {
///     Daemon::new().stdout("/var/log/clockd.log").umask(0o022).run(|| println!("up"))
/// }
/// ```
#[derive(Debug)]
pub struct Daemon {
    pub(crate) inherited: Inherited,
    pub(crate) launched_by: LaunchedBy,
    pub(crate) name: Option<String>,
    pub(crate) stdin: Stdio,
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Option<Stdio>,
    pub(crate) umask: Mask,
    pub(crate) chdir: Option<PathBuf>,
    pub(crate) chroot: Option<PathBuf>,
    pub(crate) identity: Option<Identity>,
    pub(crate) no_new_privs: bool,
    pub(crate) reopen_logs: Option<&'static ReopenLogs>,
    pub(crate) keep_env: Option<Vec<OsString>>,
    pub(crate) keep_fds: Vec<RawFd>,
    pub(crate) detach: Detach,
    pub(crate) notify: bool,
    pub(crate) ready_fd: Option<RawFd>,
    pub(crate) start_timeout: Duration,
    pub(crate) pidfile: Option<PathBuf>,
    pub(crate) lock: Option<Lock>,
}

/// Whether the program leaves the process that started it, or stays.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detach {
    /// Stay in the foreground where there is evidence of a service manager, a supervisor, inetd or a container, and
    /// detach otherwise. The default. [`LaunchedBy`] tells the evidence, and the option
    /// [`detach`](macro@crate::daemon#detach--detachauto) of the manual lists it.
    ///
    /// # Platform-specific behavior
    ///
    /// Stays in the foreground where there is no fork.
    #[default]
    Auto,
    /// Detach, whatever started the program.
    ///
    /// # Platform-specific behavior
    ///
    /// An error where there is no fork.
    Always,
    /// Stay in the foreground: no fork, and streams, signals and descriptors are left alone. `chroot`, `user`, `group`,
    /// `no_new_privs` and `pidfile` apply, and so do `umask` and `chdir` where the program sets them.
    Never,
}

impl Daemon {
    /// The defaults, and a note of what the program inherited: open descriptors, ignored and blocked signals, the
    /// directory that relative paths start from, and what tells who [launched](Self::launched_by) it.
    ///
    /// An ignored SIGCHLD gets its default action back, since nobody can wait for a child while it is ignored
    /// (wait(2)), and standard streams that are closed are opened on the null device, so that no other file gets their
    /// numbers. Nothing else changes.
    #[must_use]
    pub fn new() -> Self {
        let inherited = Inherited::note();
        Self {
            launched_by: LaunchedBy::find(&inherited),
            inherited,
            name: None,
            stdin: Stdio::null(),
            stdout: Stdio::null(),
            stderr: None,
            umask: Mask::Default,
            chdir: None,
            chroot: None,
            identity: None,
            no_new_privs: false,
            reopen_logs: None,
            keep_env: None,
            keep_fds: Vec::new(),
            detach: Detach::Auto,
            notify: false,
            ready_fd: None,
            start_timeout: Duration::from_secs(90),
            pidfile: None,
            lock: None,
        }
    }

    /// The program's name in messages of the start and in [last words](macro@crate::daemon#last-words), e.g.
    /// `"clockd"`. Default: the file name of its zeroth argument.
    pub fn name(&mut self, name: impl Into<String>) -> &mut Self {
        self.name = Some(name.into());
        self
    }

    /// Where standard input comes from: a path, which is read, a [`Stdio`], a `File` or an `OwnedFd`. Default:
    /// [`Stdio::null`], daemon(7), step 9.
    ///
    /// The start fails when the file cannot be opened, or is a symbolic link. In the foreground the stream is left
    /// alone.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.stdin = stdin.into();
        self
    }

    /// Where standard output goes: a path, which is appended to, a [`Stdio`], a `File` or an `OwnedFd`, e.g.
    /// `"/var/log/clockd.log"`. Default: [`Stdio::null`], daemon(7), step 9.
    ///
    /// A file that is missing is created with mode 0640 and belongs to [`user`](Self::user); [`Stdio::append`] says
    /// which files are refused. In the foreground the stream is left alone.
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.stdout = stdout.into();
        self
    }

    /// Where standard error goes: as for [`stdout`](Self::stdout). Default: where standard output goes, as under
    /// systemd (`StandardError=`, systemd.exec(5)); with [`Stdio::inherit`], the launcher's standard error.
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.stderr = Some(stderr.into());
        self
    }

    /// The file mode creation mask, umask(2): the permission bits that new files do not get, 0o000 to 0o777, e.g.
    /// `0o077`. `None` is the launcher's mask. Default: 0o027 after a detach, which leaves nothing to others; daemon(7) has
    /// 0 in step 10, and leaves it to each file. In the foreground the default changes nothing: the mask is that of the
    /// shell, or of `UMask=` in systemd.exec(5).
    ///
    /// The start fails when the number is out of range.
    pub fn umask(&mut self, umask: impl Umask) -> &mut Self {
        self.umask = umask.mask();
        self
    }

    /// The working directory, e.g. `"/var/lib/clockd"`. Default: `/` after a detach, so that no file system is kept from
    /// being unmounted, daemon(7), step 11. In the foreground the default changes nothing: the directory is that of the
    /// launch, such as `WorkingDirectory=` of systemd.exec(5) or `WORKDIR` of a container; with
    /// [`chroot`](Self::chroot) it is `/` in any case.
    ///
    /// A relative path starts from the directory in which the program was launched; with [`chroot`](Self::chroot), from
    /// the new root directory. With [`user`](Self::user) or [`group`](Self::group), the daemon goes there as who it is
    /// by then, so that a link of that user's leads no further than that user may go. `"."`, without `chroot`, stays
    /// where the launch was, which takes no permission.
    ///
    /// The start fails when it is missing, no directory, or may not be entered.
    pub fn chdir(&mut self, directory: impl Into<PathBuf>) -> &mut Self {
        self.chdir = Some(directory.into());
        self
    }

    /// The root directory, chroot(2): the only part of the file system whose names the daemon can reach. Default: that
    /// of the launcher.
    ///
    /// [`chdir`](Self::chdir) is looked up inside. Streams, pidfile and what `setup` opened are open before and go on
    /// working; users and groups are looked up before, too. A relative path starts from the directory of the launch.
    ///
    /// The start fails when the path is no directory; when somebody but root may have it lead elsewhere, or write in the
    /// directory itself, where a C library of theirs would be loaded by a set-user-ID program or a daemon that stays
    /// root, as for `ChrootDirectory` of `sshd_config(5)`; when a descriptor would be left that is open on a directory,
    /// through which there is a way out; and when the program is not run by root (on Linux: without `CAP_SYS_CHROOT`).
    /// A directory in which the daemon writes lies below, and is its user's.
    ///
    /// It does not confine a daemon that is root, chroot(2): give a [`user`](Self::user) as well. systemd has the same as
    /// `RootDirectory=`, systemd.exec(5).
    ///
    /// # Platform-specific behavior
    ///
    /// Where nothing lists the open descriptors, those above 1023 are not looked at. In a user namespace of Linux whose
    /// one user id is an ordinary user's outside, it does not matter who else may change the path: root in there has no
    /// more rights than that user. An error elsewhere than on Unix.
    pub fn chroot(&mut self, directory: impl Into<PathBuf>) -> &mut Self {
        self.chroot = Some(directory.into());
        self
    }

    /// The user that `main` runs as, by name or number: an [`Id`]. Default: whoever launched the program.
    ///
    /// `setup` still runs with the privileges of the launch. After it, the daemon gets the user's group (or
    /// [`group`](Self::group)), exactly the supplementary groups that the group database has for the user, and the
    /// user's number as real, effective and saved id; on Linux all capabilities are given up, and where the user is
    /// another one than before, the daemon gets a session keyring of its own, keyrings(7), as by `KeyringMode=private`
    /// in systemd.exec(5): none of the launcher's keys, such as Kerberos tickets, is in its reach. That there is no way back
    /// is tried out, and nothing of `main` runs where any of it fails. `HOME`, `USER`, `LOGNAME` and `SHELL` follow the
    /// user, and are removed for a number without an entry in the user database. All of it is so for `User=` in
    /// systemd.exec(5).
    ///
    /// It is no error, and takes no privilege, to be that user already; capabilities that the program was given with it,
    /// as by `AmbientCapabilities=` of systemd.exec(5), stay then. The start fails when nobody has that name; when
    /// a number has no entry in the user database and no `group` is given; when another user is asked for and the
    /// program is not run by root (on Linux: without `CAP_SETUID` and `CAP_SETGID`); in a user namespace, where that
    /// lacks the ids or denies setgroups(2); and in the foreground, when there is a second thread.
    ///
    /// # Platform-specific behavior
    ///
    /// macOS takes at most 16 groups, setgroups(2). An error elsewhere than on Unix.
    pub fn user(&mut self, user: impl Into<Id>) -> &mut Self {
        self.identity.get_or_insert_default().user = Some(user.into());
        self
    }

    /// The group that `main` runs in, by name or number: an [`Id`]. Default: the group of [`user`](Self::user) in the
    /// user database, and without that the launcher's.
    ///
    /// Without `user`, the user stays who it is, with the supplementary groups of the group database, as for
    /// `Group=` in systemd.exec(5). A number needs no entry in the group database.
    ///
    /// # Platform-specific behavior
    ///
    /// An error elsewhere than on Unix.
    pub fn group(&mut self, group: impl Into<Id>) -> &mut Self {
        self.identity.get_or_insert_default().group = Some(group.into());
        self
    }

    /// Whether the daemon, and every program that it runs, is kept from gaining privileges by exec: set-user-ID bits
    /// and file capabilities have no effect any more, `PR_SET_NO_NEW_PRIVS` of prctl(2). Default: no, as for
    /// `NoNewPrivileges=` in systemd.exec(5).
    ///
    /// The start fails in the foreground when there is a second thread, which would not have it.
    ///
    /// # Platform-specific behavior
    ///
    /// Linux has it; an error of the start elsewhere.
    pub fn no_new_privs(&mut self, no_new_privs: bool) -> &mut Self {
        self.no_new_privs = no_new_privs;
        self
    }

    /// Whether SIGHUP has the files of stdout and stderr opened anew that were given by their paths, as after a
    /// rotation, logrotate(8). Default: no, and SIGHUP ends a daemon that does not handle it.
    /// [`reopen_logs`](crate::reopen_logs) does the same by a call.
    ///
    /// The path is looked up again as it was meant at the launch, by the rules of [`Stdio::append`] and with the rights
    /// that the daemon has by then; a file that is missing is created, and none is truncated. The new file takes the
    /// old one's place under the same descriptor, dup2(2): what a thread writes by one write(2) meanwhile is whole in
    /// one of the two. Where it cannot be opened, the old one stays, and a line in it says why, once until it can. What
    /// the program has put in the place of a stream since stays, and so does a stream that was given otherwise than by
    /// its path.
    ///
    /// It happens in a signal handler, before what the program does on SIGHUP: the handler calls one that `setup`
    /// installed, and is called by those of `signal-hook` and `tokio` that `main` installs. One that is installed by
    /// sigaction(2) and calls no other ends it. System calls are restarted (`SA_RESTART`, sigaction(2)), unless a
    /// handler of `setup` says otherwise. A worker that is forked without exec has the handler too, for its own
    /// descriptors; a child that shares the memory (`CLONE_VM`, clone(2)) leaves them alone.
    ///
    /// For each log the daemon has one descriptor more, closed on exec: as long as that is open, no file of the program's
    /// is taken for a log that was removed. One who closes all descriptors leaves it closed.
    ///
    /// The start fails where reopening could not succeed: in a `chroot` the log must lie inside, since only a
    /// descriptor of a directory outside could reach it, which is a way out; and the `user` must be able to write to it
    /// by its name or, where the start itself creates it, to create files in its directory. A log that was there before
    /// may lie where the user creates nothing: who put it there puts the next one there, as `create` in
    /// logrotate.conf(5).
    ///
    /// A daemon that stays root follows links among the directories of the path, and trusts whoever may write in these:
    /// give it a directory that is root's. In the last one, what others may have put there is refused.
    ///
    /// In the foreground streams are left alone, and SIGHUP does nothing, instead of ending the program; so it is where
    /// no stream was given by a path.
    ///
    /// # Platform-specific behavior
    ///
    /// Elsewhere than on Unix it does nothing.
    pub fn reopen_logs(&mut self, reopen_logs: bool) -> &mut Self {
        self.reopen_logs = reopen_logs.then_some(&REOPEN_LOGS);
        self
    }

    /// The names of the environment variables that the daemon keeps, e.g. `["PATH", "LANG"]`, or `[""; 0]` for none: all others are removed,
    /// but for those by which a service manager speaks to libraries, `sd_notify(3)`, `sd_listen_fds(3)`,
    /// `sd_watchdog_enabled(3)`, and those that follow [`user`](Self::user). Default: all are kept.
    ///
    /// So nothing that happens to be set in the shell of the person who starts it changes what the daemon does,
    /// daemon(7), step 4. What `setup` set counts as well, and a name that is not set is passed over.
    /// systemd has `PassEnvironment=`, systemd.exec(5). In the foreground nothing is removed.
    ///
    /// On Linux, what is removed is overwritten as well: `/proc/PID/environ` goes on showing what exec gave to a process
    /// where nobody does so, proc(5). A pointer from getenv(3) that the program kept finds an empty string then. Where exec
    /// [gave the program privileges](macro@crate::daemon#programs-that-gain-privileges-by-exec), a manager's variables are
    /// removed as well, unless systemd started it.
    ///
    /// The start fails when a name is empty, or has a `=` in it.
    ///
    /// # Platform-specific behavior
    ///
    /// Nothing is overwritten where `/proc` is not mounted, or elsewhere than on Linux. Elsewhere than on Unix it does
    /// nothing.
    pub fn keep_env(&mut self, names: impl IntoIterator<Item = impl Into<OsString>>) -> &mut Self {
        self.keep_env = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Inherited descriptors that the daemon keeps as they are, e.g. `[3, 4]`. Default: none but 0, 1 and 2; every
    /// other one that the program inherited is closed in the daemon, daemon(7), step 1. What the program opened itself,
    /// and sockets that a manager passed, stay open in any case: as many as `LISTEN_FDS` says, where `LISTEN_PID` is this
    /// process or is not set, as by the tool `systemfd` with `--no-pid`. Where exec
    /// [gave the program privileges](macro@crate::daemon#programs-that-gain-privileges-by-exec), it has to be set.
    ///
    /// The start fails when a number is not open. [`take_fd`](Self::take_fd) is for a descriptor that the program
    /// itself uses.
    pub fn keep_fds(&mut self, fds: impl IntoIterator<Item = RawFd>) -> &mut Self {
        self.keep_fds = fds.into_iter().collect();
        self
    }

    /// Whether the program detaches, daemon(7), steps 5 to 8, or stays in the foreground. Default: [`Detach::Auto`],
    /// which goes by who [launched](Self::launched_by) it. Command lines set [`Detach::Never`] for an option such as
    /// `--foreground`.
    pub fn detach(&mut self, detach: Detach) -> &mut Self {
        self.detach = detach;
        self
    }

    /// What started the program. Found by [`new`](Self::new), whatever the options say.
    #[must_use]
    pub fn launched_by(&self) -> &LaunchedBy {
        &self.launched_by
    }

    /// Whether it will detach: the option [`detach`](Self::detach) applied to what [launched](Self::launched_by) the
    /// program. With it, `setup` sets an option for the daemon only, behind whatever it does with `detach`:
    ///
    /// ```no_run
    /// use std::convert::Infallible;
    ///
    /// use daemon_rt::{Daemon, daemon};
    ///
    /// fn setup(daemon: &mut Daemon) -> Result<(), Infallible> {
    ///     if daemon.detaches() {
    ///         daemon.user("www-data");
    ///     }
    ///     Ok(())
    /// }
    ///
    /// #[daemon(setup = setup)]
    /// fn main() {}
    /// ```
    ///
    /// # Platform-specific behavior
    ///
    /// Where there is no fork, true with [`Detach::Always`] alone, and the start fails then.
    #[must_use]
    pub fn detaches(&self) -> bool {
        match self.detach {
            Detach::Auto => self.launched_by.detaches(),
            Detach::Always => true,
            Detach::Never => false,
        }
    }

    /// Whether the start changes privileges before `main`.
    pub(crate) fn gives_up_privileges(&self) -> bool {
        self.identity.is_some() || self.no_new_privs
    }

    /// Whether the launcher waits until the program calls [`ready`](crate::ready), daemon(7), steps 14 and 15. Default:
    /// no; the daemon is ready when its process is there. [`start_timeout`](Self::start_timeout) says for how long.
    ///
    /// With it, a service manager that gives a `NOTIFY_SOCKET` is told, `sd_notify(3)`: `READY=1` from `ready`, or
    /// after a detach from the launcher, which adds the daemon as `MAINPID`; and `STOPPING=1` when `main` returns. The
    /// start fails when that socket cannot be reached. Where exec
    /// [gave the program privileges](macro@crate::daemon#programs-that-gain-privileges-by-exec), only systemd's own is
    /// used.
    pub fn notify(&mut self, notify: bool) -> &mut Self {
        self.notify = notify;
        self
    }

    /// The descriptor on which a supervisor waits for a newline, e.g. `3`: `notification-fd` of s6, `ready-notification =
    /// pipefd:3` of dinit, `notify=fd:3` of supervise-daemon. Default: none.
    ///
    /// The newline is written, and the descriptor closed, by [`ready`](crate::ready) with the option
    /// [`notify`](Self::notify), and otherwise right before `main`; after a detach by the launcher, which alone has it
    /// open. Where the number is not that of a pipe to write to that the program inherited, nobody waits, and it is left
    /// alone: so the same program can be started by hand. Since a script may have a pipe of its own there, set it in
    /// `setup`, for an option of the command line such as `--ready-fd 3`.
    ///
    /// The start fails for a standard stream, and, in the foreground without `notify`, when nobody reads the pipe.
    ///
    /// # Platform-specific behavior
    ///
    /// Elsewhere than on Unix it does nothing.
    pub fn ready_fd(&mut self, fd: RawFd) -> &mut Self {
        self.ready_fd = Some(fd);
        self
    }

    /// How long the daemon may take until it is ready, a [`Duration`]; it is ended when the time is over. Default: 90
    /// seconds, as under systemd (`TimeoutStartSec=`, systemd.service(5)). [`Duration::MAX`] is for ever, zero an error
    /// of the start.
    pub fn start_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.start_timeout = timeout;
        self
    }

    /// The file that guarantees one running instance and tells who it is, daemon(7), step 12, e.g.
    /// `"/run/clockd.pid"`. Default: none.
    ///
    /// The launcher locks the file, flock(2), and the daemon holds that lock as long as it runs: a second start fails.
    /// The daemon writes its process id to the file, in decimal with a newline, and removes the file when it exits, also
    /// after a panic that unwinds. A relative path starts from the directory of the launch.
    ///
    /// The file has mode 0600, as with pidfile(3) of FreeBSD, and belongs to the effective user of the launch: everybody who
    /// can read a file can lock it. When `main` begins, the daemon holds the file open for reading only. So whoever takes
    /// over a daemon that gave up root cannot write another process's number, for root to signal. Nor can the daemon
    /// remove the file from a directory of root's, or empty it: at the end the file stays, with its number, unlocked. It
    /// also stays after a signal that ends the daemon. The next start takes it over, and [`PidFile`](crate::PidFile)
    /// knows by the lock that nobody runs. The number alone is not enough for a script:
    /// `start-stop-daemon --exec` compares the program, and `pkill --logpidfile`, which asks whether the file is locked,
    /// compares the name that it is given.
    ///
    /// The start takes over a file that is empty, or holds one number and white space. A file of the caller's own that
    /// others may read or write, as older programs leave it, is replaced by a proper one; where its directory does not
    /// permit that, it gets the mode 0600. The start fails when the file holds anything else, is a symbolic link or no
    /// regular file, belongs to neither root nor the caller, or has a second hard link; for root also when others may
    /// write in a directory of its path that is not sticky.
    ///
    /// A worker that is forked without exec holds the lock, too, as long as it lives.
    ///
    /// # Platform-specific behavior
    ///
    /// In a user namespace of Linux, a directory that belongs to somebody outside is not root's, `user_namespaces(7)`.
    /// Where the one user id of the namespace is an ordinary user's outside, as in `unshare --map-root-user`, root is
    /// taken for that user.
    pub fn pidfile(&mut self, path: impl Into<PathBuf>) -> &mut Self {
        self.pidfile = Some(path.into());
        self.lock = None;
        self
    }

    /// Locks the [`pidfile`](Self::pidfile) now, and not only after `setup`: for one that binds or removes a socket,
    /// which is another instance's as long as that runs.
    ///
    /// # Errors
    ///
    /// Another instance runs, as the message says; the file cannot be opened or locked; or there is no pidfile.
    ///
    /// # Platform-specific behavior
    ///
    /// An error where there is no flock(2).
    pub fn lock(&mut self) -> Result<(), Error> {
        start::lock(self)
    }

    /// Takes an inherited descriptor, such as the 9 of `program 9>lock`: it is the caller's now, stays open in the
    /// daemon, and is closed on exec.
    ///
    /// # Errors
    ///
    /// The program did not inherit that number, it was taken before, or it was closed or replaced since the launch. 0,
    /// 1 and 2 cannot be taken: see [`stdin`](Self::stdin).
    #[cfg(unix)]
    pub fn take_fd(&mut self, fd: RawFd) -> Result<OwnedFd, Error> {
        self.inherited.take(fd)
    }

    /// Starts the daemon, and runs `main` in it.
    ///
    /// Returns where `main` ran, with its exit status: in the daemon or, without a detach, in the foreground. It
    /// returns in the launcher only when the start fails before the first fork, and has said why on stderr then; a
    /// launcher that forked leaves with `_exit(2)`, and its destructors and atexit handlers do not run.
    ///
    /// The launcher exits with 0 if and only if the daemon is ready. Otherwise it exits as the daemon did: with its
    /// status, or 128 and the signal that ended it; with 1 when it exited with 0 before it was ready, when a step
    /// failed, and when `start_timeout` was over. No process of the daemon's process group is left behind then.
    pub fn run<T: Termination>(&mut self, main: impl FnOnce() -> T) -> ExitCode {
        self.run_with(|_| Ok::<_, Error>(()), |()| main())
    }

    /// As [`run`](Self::run), after `setup`: that runs in the launcher, with its terminal, directory, environment,
    /// descriptors and privileges, and what it returns is handed to `main`.
    ///
    /// It is the place to parse the command line, to bind sockets, and to change options. It must not leave a
    /// thread behind: only the calling one lives on after a fork. Its error is shown as `{:#}` shows it, and the
    /// launcher exits with 1.
    pub fn run_with<S, E: Display, T: Termination>(
        &mut self,
        setup: impl FnOnce(&mut Daemon) -> Result<S, E>,
        main: impl FnOnce(S) -> T,
    ) -> ExitCode {
        run::run(self, setup, main)
    }
}

impl Default for Daemon {
    fn default() -> Self {
        Self::new()
    }
}
