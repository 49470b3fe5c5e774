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
    Control, Error, Id, LaunchedBy, Respawn, Spawned, Stdio, Umask,
    inherited::Inherited,
    obey,
    pidfile::Lock,
    privileges::Identity,
    run,
    start::{
        self, KeepEnv, Keeping, Root, Supervising,
        streams::{ReopenLogs, Reopening},
    },
    umask::Mask,
};

/// The options of a daemon, and the methods that start it.
///
/// It works like [`std::process::Command`]: each method changes the value and returns it.
/// [`#[daemon]`](macro@crate::daemon) expands to a chain of such calls. Every option of the attribute is the method of
/// the same name, described here. Only `crate` and `setup` are different: `setup` is an argument of
/// [`run_with`](Self::run_with). The function `setup` gets this value, and may change the options.
///
/// The description of each option ends with the same list: the accepted values; the default; whether it applies
/// in the foreground; the errors that end the start; the source of the rule; and its names in other programs.
///
/// Call [`new`](Self::new) first thing in `main`, because it notes what the program inherited. [What a late start
/// closes](crate::docs::what_nobody_can_change#what-a-late-start-closes) says why.
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
///
/// # Platform-specific behavior
///
/// On systems other than Unix, `main` runs in the foreground, after `setup`. Some options are errors there, and say
/// so in their descriptions. The others have no effect.
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
    pub(crate) chroot: Option<Root>,
    pub(crate) identity: Option<Identity>,
    pub(crate) no_new_privs: bool,
    pub(crate) reopen_logs: Option<&'static dyn Reopening>,
    pub(crate) keep_env: Option<Box<dyn Keeping>>,
    pub(crate) keep_fds: Vec<RawFd>,
    pub(crate) detach: Detach,
    pub(crate) notify: bool,
    pub(crate) setup_status: u8,
    pub(crate) ready_fd: Option<RawFd>,
    pub(crate) start_timeout: Duration,
    pub(crate) stop_timeout: Option<Duration>,
    pub(crate) respawn: Option<Box<dyn Supervising>>,
    pub(crate) pidfile: Option<PathBuf>,
    pub(crate) lock: Option<Lock>,
}

/// Whether the program detaches from what started it, or stays in the foreground.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detach {
    /// Stay in the foreground if there is evidence of a service manager, a supervisor, inetd or a container, and
    /// detach otherwise. This is the default. [`LaunchedBy`] tells which evidence was found, and the manual lists
    /// all of it at the option [`detach`](macro@crate::daemon#detach--detachauto).
    ///
    /// # Platform-specific behavior
    ///
    /// On systems without fork, stays in the foreground.
    #[default]
    Auto,
    /// Detach, whatever started the program.
    ///
    /// # Platform-specific behavior
    ///
    /// On systems without fork, an error.
    Always,
    /// Stay in the foreground: no fork. Streams, signals, descriptors and environment stay as they were at the launch,
    /// [with few exceptions](macro@crate::daemon#in-the-foreground). Each option says under *Foreground* whether it
    /// applies.
    Never,
}

impl Daemon {
    /// Sets all defaults, and notes what the program inherited: open descriptors, ignored and blocked signals,
    /// the directory that relative paths start from, and the evidence of what [launched](Self::launched_by) the
    /// program.
    ///
    /// If SIGCHLD is ignored, it gets its default action back, because nobody can wait for a child while it is
    /// ignored, wait(2). If a standard stream is closed, it is opened on the null device, so that no other file gets
    /// its number. Nothing else changes.
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
            setup_status: 1,
            ready_fd: None,
            start_timeout: Duration::from_secs(90),
            stop_timeout: None,
            respawn: None,
            pidfile: None,
            lock: None,
        }
    }

    /// The program's name. Messages of the start and [last words](macro@crate::daemon#last-words) begin with it.
    ///
    /// - **Takes:** text, e.g. `"clockd"`.
    /// - **Default:** the file name of the program's zeroth argument.
    /// - **Foreground:** applies.
    /// - **Errors:** none. The compiler refuses an empty literal.
    /// - **Rule:** err(3).
    /// - **Known as:** `SyslogIdentifier=` in systemd.exec(5), `-t` in FreeBSD's daemon(8).
    pub fn name(&mut self, name: impl Into<String>) -> &mut Self {
        self.name = Some(name.into());
        self
    }

    /// Where standard input comes from.
    ///
    /// - **Takes:** the path of a file to read, a [`Stdio`], a `File` or an `OwnedFd`.
    /// - **Default:** [`Stdio::null`].
    /// - **Foreground:** the stream is left alone.
    /// - **Errors:** a file that cannot be opened; a symbolic link; the same path as [`pidfile`](Self::pidfile).
    /// - **Rule:** daemon(7), step 9; null(4).
    /// - **Known as:** `StandardInput=` in systemd.exec(5), `noclose` in daemon(3), `-f` in FreeBSD's daemon(8).
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.stdin = stdin.into();
        self
    }

    /// Where standard output goes.
    ///
    /// A missing file is created with mode 0640 and belongs to [`user`](Self::user). A relative path starts from the
    /// directory where the program was launched. [`Stdio::append`] says which files are refused, and
    /// [`Stdio::rotate`] limits the size of the log.
    ///
    /// - **Takes:** the path of a file to append to, e.g. `"/var/log/clockd.log"`, a [`Stdio`], a `File` or an
    ///   `OwnedFd`.
    /// - **Default:** [`Stdio::null`]: what the program prints is lost, except for its [last
    ///   words](macro@crate::daemon#last-words).
    /// - **Foreground:** the stream is left alone.
    /// - **Errors:** a file that cannot be opened; a symbolic link; a FIFO without a reader; another user's file with
    ///   a second hard link; a file that others may have put there; the same path as [`pidfile`](Self::pidfile).
    /// - **Rule:** daemon(7), step 9; null(4).
    /// - **Known as:** `StandardOutput=` in systemd.exec(5), `noclose` in daemon(3), `-f`, `-o` and `-m 1` in FreeBSD's
    ///   daemon(8).
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.stdout = stdout.into();
        self
    }

    /// Where standard error goes.
    ///
    /// - **Takes:** the same as [`stdout`](Self::stdout).
    /// - **Default:** the same place as standard output. If that is [`Stdio::inherit`], the launcher's standard error.
    /// - **Foreground:** the stream is left alone.
    /// - **Errors:** the same as for `stdout`.
    /// - **Rule:** daemon(7), step 9; systemd.exec(5), for the default.
    /// - **Known as:** `StandardError=` in systemd.exec(5), `noclose` in daemon(3), `-f`, `-o` and `-m 2` in FreeBSD's
    ///   daemon(8).
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.stderr = Some(stderr.into());
        self
    }

    /// The file mode creation mask: the permission bits that new files do not get. Log files and the pidfile have modes
    /// of their own.
    ///
    /// - **Takes:** an octal number from `0o000` to `0o777`, e.g. `0o077`, or `None`, which keeps the launcher's mask, as
    ///   daemon(3) does.
    /// - **Default:** `0o027` after a detach, which gives no permissions to others. daemon(7) says 0, so that the
    ///   program decides for each file.
    /// - **Foreground:** applies if the program sets it. Otherwise the mask stays as the shell or `UMask=` set
    ///   it.
    /// - **Errors:** a number that is out of range. The compiler refuses a decimal literal.
    /// - **Rule:** daemon(7), step 10; umask(2).
    /// - **Known as:** `UMask=` in systemd.exec(5).
    pub fn umask(&mut self, umask: impl Umask) -> &mut Self {
        self.umask = umask.mask();
        self
    }

    /// The working directory.
    ///
    /// A relative path starts from the directory in which the program was launched. With [`chroot`](Self::chroot), it
    /// starts from the new root directory. With [`user`](Self::user) or [`group`](Self::group), the daemon gives up its
    /// privileges before it changes the directory. So the user must have access to it, and cannot use a symbolic link
    /// to get the daemon into a directory that is closed to the user. `"."` stays where the program was launched, and
    /// needs no permission (without `chroot`).
    ///
    /// - **Takes:** a path, e.g. `"/var/lib/clockd"`.
    /// - **Default:** `/` after a detach, so that the daemon does not prevent any file system from being unmounted.
    /// - **Foreground:** applies if the program sets it or `chroot`. Otherwise the directory stays as
    ///   `WorkingDirectory=` or a container's `WORKDIR` set it.
    /// - **Errors:** a path that does not exist, is not a directory, or that the daemon's user may not enter.
    /// - **Rule:** daemon(7), step 11; chdir(2).
    /// - **Known as:** `WorkingDirectory=` in systemd.exec(5), `nochdir` in daemon(3), `-c` in FreeBSD's daemon(8).
    pub fn chdir(&mut self, directory: impl Into<PathBuf>) -> &mut Self {
        self.chdir = Some(directory.into());
        self
    }

    /// The root directory: the daemon can open only what is below it.
    ///
    /// [`chdir`](Self::chdir) is looked up inside, and is `/` by default. Streams, the pidfile and what `setup` opened
    /// are opened before the change, and go on working. Users and groups are looked up before it, too. A relative path
    /// starts from the directory where the program was launched.
    ///
    /// Only root can change its root directory, and a daemon that stays root can get out of it again, chroot(2). So set
    /// a [`user`](Self::user) as well. The directory and every directory above it must belong to root, as for
    /// `ChrootDirectory` in `sshd_config(5)`. Otherwise somebody could make the path lead elsewhere, or put a C library
    /// inside that a set-user-ID program or a root daemon would load. For files that the daemon writes, make a
    /// directory below it that belongs to the daemon's user.
    ///
    /// - **Takes:** a path, e.g. `"/srv/jail"`.
    /// - **Default:** the launcher's root directory.
    /// - **Foreground:** applies.
    /// - **Errors:** a path that is not a directory; a directory that somebody other than root may replace or write
    ///   in; missing privilege (on Linux `CAP_SYS_CHROOT`); a descriptor that is left open on a directory, which
    ///   would be a way out.
    /// - **Rule:** chroot(2).
    /// - **Known as:** `RootDirectory=` in systemd.exec(5).
    ///
    /// # Platform-specific behavior
    ///
    /// If the system cannot list open descriptors, those above 1023 are not checked. If the only user id of a Linux
    /// user namespace is an ordinary user's outside, it does not matter who else may change the path: root inside has
    /// no more rights than that user. On systems other than Unix, the start fails.
    pub fn chroot(&mut self, directory: impl Into<PathBuf>) -> &mut Self {
        self.chroot = Some(Root::new(directory.into()));
        self
    }

    /// The user that `main` runs as. `setup` still runs with the launcher's privileges.
    ///
    /// The daemon gets:
    ///
    /// - the user's id as real, effective and saved user id;
    /// - the user's group, or [`group`](Self::group), and exactly the supplementary groups that the group database
    ///   lists for the user;
    /// - on Linux, no capabilities, and its own session keyring if the user changes, as with `KeyringMode=private` of
    ///   systemd.exec(5): the launcher's keys, such as Kerberos tickets, are out of reach, keyrings(7);
    /// - `HOME`, `USER`, `LOGNAME` and `SHELL` from the user database; they are removed if the number has no entry
    ///   there.
    ///
    /// There is no way back: the start tries to get the old ids back, and if it can, the start fails. If any of this
    /// fails, `main` does not run.
    ///
    /// If the program already runs as that user with these groups, nothing changes and no privilege is needed.
    /// Capabilities that the program was given, as with `AmbientCapabilities=` of systemd.exec(5), then stay.
    ///
    /// - **Takes:** a name or a number: an [`Id`].
    /// - **Default:** the user who launched the program.
    /// - **Foreground:** applies, with the variables.
    /// - **Errors:** an unknown name; a number that is not in the user database, without a `group`; another user
    ///   without privilege (root or, on Linux, `CAP_SETUID` and `CAP_SETGID`); a user namespace that lacks the ids or
    ///   denies setgroups(2); a change that does not take effect; in the foreground, a second thread, because it would
    ///   keep its capabilities.
    /// - **Rule:** daemon(7), step 13; credentials(7), capabilities(7).
    /// - **Known as:** `User=` in systemd.exec(5), which does the same; `-u` in FreeBSD's daemon(8).
    ///
    /// # Platform-specific behavior
    ///
    /// macOS takes at most 16 groups, setgroups(2). On systems other than Unix, the start fails.
    pub fn user(&mut self, user: impl Into<Id>) -> &mut Self {
        self.identity.get_or_insert_default().user = Some(user.into());
        self
    }

    /// The group that `main` runs in. With [`user`](Self::user), it replaces that user's group. Without `user`,
    /// the user stays the same, with the supplementary groups that the group database lists for that user.
    ///
    /// - **Takes:** a name or a number: an [`Id`]. A number needs no entry in the group database.
    /// - **Default:** the group of `user` in the user database. Without `user`, the launcher's group.
    /// - **Foreground:** applies.
    /// - **Errors:** the same as for `user`.
    /// - **Rule:** daemon(7), step 13; setgroups(2).
    /// - **Known as:** `Group=` in systemd.exec(5).
    ///
    /// # Platform-specific behavior
    ///
    /// On systems other than Unix, the start fails.
    pub fn group(&mut self, group: impl Into<Id>) -> &mut Self {
        self.identity.get_or_insert_default().group = Some(group.into());
        self
    }

    /// Whether the daemon, and every program that it runs, is kept from gaining privileges by exec. Set-user-ID bits,
    /// set-group-ID bits and file capabilities then have no effect.
    ///
    /// - **Takes:** a `bool`. In the attribute, the option alone means `true`.
    /// - **Default:** `false`, as in systemd: programs that rely on such bits fail.
    /// - **Foreground:** applies.
    /// - **Errors:** in the foreground, a second thread, because the option would not apply to it.
    /// - **Rule:** `PR_SET_NO_NEW_PRIVS` of prctl(2).
    /// - **Known as:** `NoNewPrivileges=` in systemd.exec(5).
    ///
    /// # Platform-specific behavior
    ///
    /// Only Linux has it. Elsewhere, the start fails.
    pub fn no_new_privs(&mut self, no_new_privs: bool) -> &mut Self {
        self.no_new_privs = no_new_privs;
        self
    }

    /// Whether SIGHUP reopens the files of [`stdout`](Self::stdout) and [`stderr`](Self::stderr), for log rotation.
    /// It reopens the files that were given by their paths. The function [`reopen_logs`](crate::reopen_logs) does the
    /// same.
    ///
    /// The path is opened again by the rules of [`Stdio::append`], with the rights that the daemon has by then. A
    /// relative path still starts from the directory of the launch. A missing file is created, and no file is
    /// truncated. The new file takes over the descriptor of the old one, dup2(2). If a thread calls write(2) meanwhile,
    /// all of its data is in one of the two files. If the new file cannot be opened, the old one stays, and one line in
    /// it says why. No further line follows until it can be opened. If the program has replaced a stream with something
    /// else, that stays.
    ///
    /// A signal handler does this. If `setup` has installed a handler for SIGHUP, this one calls it afterwards.
    /// Handlers that `main` installs with `signal-hook` or `tokio` call this one first. If `main` installs a handler
    /// with sigaction(2) that does not call the previous one, logs are no longer reopened. System calls are restarted
    /// (`SA_RESTART`, sigaction(2)), unless a handler of `setup` says otherwise. A worker that is forked without exec
    /// has the handler too, for its own descriptors. In a child that shares the memory (`CLONE_VM`, clone(2)), the
    /// handler does nothing.
    ///
    /// For each log the daemon holds one more descriptor, which is closed on exec. While it is open, a file of the
    /// program cannot be mistaken for a log that was removed. If the program closes all descriptors, this one stays
    /// closed.
    ///
    /// The start checks that the logs can be reopened, and fails if not. In a [`chroot`](Self::chroot), the log must be
    /// inside: a log outside could be reached only by a descriptor of a directory there, and that would be a way out.
    /// The [`user`](Self::user) must be able to write to the log by its name. If the start itself creates the log, the
    /// user must be able to create files in its directory instead. If the log was there before, that is not needed:
    /// whatever created the log also creates the next one, as `create` does in logrotate.conf(5).
    ///
    /// If the daemon stays root, it follows links among the directories of the path, and trusts every user who may
    /// write in them. So use a directory that belongs to root. In the last directory, files that others may have put
    /// there are refused.
    ///
    /// - **Takes:** a `bool`. In the attribute, the option alone means `true`.
    /// - **Default:** `false`: SIGHUP ends a daemon that does not handle it.
    /// - **Foreground:** streams are left alone, and SIGHUP does nothing instead of ending the program. The same is true
    ///   after a detach if no stream was given by its path.
    /// - **Errors:** a log that the daemon could not reopen as its user or in its `chroot`.
    /// - **Rule:** logrotate(8); signal-safety(7).
    /// - **Known as:** `-H` in FreeBSD's daemon(8).
    pub fn reopen_logs(&mut self, reopen_logs: bool) -> &mut Self {
        self.reopen_logs = reopen_logs.then_some(&ReopenLogs);
        self
    }

    /// The environment variables that the daemon keeps. All others are removed, so that a variable that happens to be
    /// set in somebody's shell cannot change what the daemon does.
    ///
    /// The variables that a service manager sets for libraries always stay, `sd_notify(3)`, `sd_listen_fds(3)`,
    /// `sd_watchdog_enabled(3)`. So do the variables that [`user`](Self::user) sets. Variables that `setup` set are
    /// removed, too, unless they are named. A name that is not set is skipped. If exec [gave the program
    /// privileges](macro@crate::daemon#programs-that-gain-privileges-by-exec), a manager's variables are removed as
    /// well, unless systemd started the program.
    ///
    /// On Linux, the removed variables are also overwritten. Otherwise `/proc/PID/environ` would still show them,
    /// proc(5). If the program kept a pointer from getenv(3), it then points to an empty string.
    ///
    /// - **Takes:** names: an array, a `Vec` or any iterator of values that convert to `OsString`, e.g. `["PATH",
    ///   "LANG"]`; `[""; 0]` keeps none.
    /// - **Default:** all variables are kept.
    /// - **Foreground:** nothing is removed.
    /// - **Errors:** a name that is empty, or has a `=` in it.
    /// - **Rule:** daemon(7), step 4.
    /// - **Known as:** `PassEnvironment=` in systemd.exec(5).
    ///
    /// # Platform-specific behavior
    ///
    /// On systems other than Linux, and if `/proc` is not mounted, nothing is overwritten.
    pub fn keep_env(&mut self, names: impl IntoIterator<Item = impl Into<OsString>>) -> &mut Self {
        self.keep_env = Some(Box::new(KeepEnv(names.into_iter().map(Into::into).collect())));
        self
    }

    /// The inherited file descriptors that the daemon keeps. All other inherited descriptors above 2 are closed in
    /// the daemon, so that it does not keep a pipe or a lock of the launcher alive.
    ///
    /// Files that the program opens itself stay open. So do the sockets that a manager passed: as many as
    /// `LISTEN_FDS` says, if `LISTEN_PID` is this process or is not set, as with the tool `systemfd --no-pid`. If
    /// exec [gave the program privileges](macro@crate::daemon#programs-that-gain-privileges-by-exec), `LISTEN_PID`
    /// has to be set. To own such a descriptor, use [`take_fd`](Self::take_fd).
    ///
    /// - **Takes:** numbers: an array, a `Vec` or any iterator of `RawFd`, e.g. `[3, 4]`.
    /// - **Default:** none.
    /// - **Foreground:** all descriptors are left alone.
    /// - **Errors:** a number that is not open.
    /// - **Rule:** daemon(7), step 1.
    /// - **Known as:** `files_preserve` in python-daemon.
    pub fn keep_fds(&mut self, fds: impl IntoIterator<Item = RawFd>) -> &mut Self {
        self.keep_fds = fds.into_iter().collect();
        self
    }

    /// Whether the program detaches or stays in the foreground. If your program has an option such as `--foreground`,
    /// set [`Detach::Never`] for it. If it has an option such as `--daemon`, set [`Detach::Always`] if that is given,
    /// and [`Detach::Never`] if not: a unit with `Type=forking` that gives `--daemon` expects a detach.
    ///
    /// - **Takes:** a [`Detach`]: `Auto`, `Always` or `Never`.
    /// - **Default:** [`Detach::Auto`], which depends on what [launched](Self::launched_by) the program.
    /// - **Foreground:** what `Detach::Never` asks for.
    /// - **Errors:** [`Detach::Always`] on systems without fork.
    /// - **Rule:** daemon(7), steps 5 to 8, and new-style daemons, which do not detach.
    /// - **Known as:** `Type=` in systemd.service(5).
    pub fn detach(&mut self, detach: Detach) -> &mut Self {
        self.detach = detach;
        self
    }

    /// What started the program. [`new`](Self::new) finds it, whatever the options say.
    #[must_use]
    pub fn launched_by(&self) -> &LaunchedBy {
        &self.launched_by
    }

    /// Whether the program will detach. This follows from the option [`detach`](Self::detach) and from what
    /// [launched](Self::launched_by) the program. `setup` can use it to set an option only for the daemon. If
    /// `setup` also sets `detach`, it must do so before:
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
    /// On systems without fork, it is true only with [`Detach::Always`], and then the start fails.
    #[must_use]
    pub fn detaches(&self) -> bool {
        match self.detach {
            Detach::Auto => self.launched_by.detaches(),
            Detach::Always => true,
            Detach::Never => false,
        }
    }

    /// The options that concern logs.
    pub(crate) fn log_options(&self) -> impl Iterator<Item = &'static dyn Reopening> + use<> {
        let limits = [Some(&self.stdout), self.stderr.as_ref()].map(|stdio| stdio?.limit);
        let rotating = limits.into_iter().flatten().next().map(|limit| limit.code);
        [rotating, self.reopen_logs].into_iter().flatten()
    }

    /// Whether the start changes privileges before `main`.
    pub(crate) fn gives_up_privileges(&self) -> bool {
        self.identity.is_some() || self.no_new_privs
    }

    /// Whether the launcher waits until the program calls [`ready`](crate::ready).
    /// [`start_timeout`](Self::start_timeout) says for how long. If `notify` is not set, `ready` does nothing, and
    /// the daemon prints the line of [`ready_with`](crate::ready_with), not the launcher.
    ///
    /// With `notify`, a service manager that sets `NOTIFY_SOCKET` is notified, too, `sd_notify(3)`. `ready` sends
    /// `READY=1`. After a detach the launcher sends it, and adds the daemon as `MAINPID`. When `main` returns,
    /// `STOPPING=1` is sent. If exec [gave the program
    /// privileges](macro@crate::daemon#programs-that-gain-privileges-by-exec), only systemd's own socket is used. The
    /// manager also learns of a start that fails, so that it stops waiting. It gets the error line as `STATUS=`, which
    /// `systemctl status` shows to everybody, the exit status as `EXIT_STATUS=`, and the system's error number, or 0,
    /// as `ERRNO=`. It also learns if `main` returns a failure, panics, or exits before it is ready. In these cases
    /// `STATUS=` does not have the text of the program's error, because that may be meant for the log alone.
    ///
    /// - **Takes:** a `bool`. In the attribute, the option alone means `true`.
    /// - **Default:** `false`: the daemon is ready when the process for `main` exists and all options are applied.
    /// - **Foreground:** nobody waits; the manager is told.
    /// - **Errors:** a `NOTIFY_SOCKET` that cannot be reached; a `main` that ends before it is ready; a start that
    ///   takes longer than `start_timeout`.
    /// - **Rule:** daemon(7), steps 14 and 15; `sd_notify(3)`.
    /// - **Known as:** `Type=notify` in systemd.service(5).
    pub fn notify(&mut self, notify: bool) -> &mut Self {
        self.notify = notify;
        self
    }

    /// The file descriptor on which a supervisor waits for a newline.
    ///
    /// [`ready`](crate::ready) writes the newline and closes the descriptor. Without [`notify`](Self::notify), this
    /// happens right before `main`. After a detach the launcher does it; no other process has the descriptor open.
    ///
    /// If that descriptor is not an inherited pipe that the program can write to, nobody waits, and the descriptor
    /// is left alone. So the same program can be started by hand. But a script may have a pipe of its own at that
    /// number. So set this option in `setup`, for a command-line option such as `--ready-fd 3`.
    ///
    /// - **Takes:** the number of a descriptor, e.g. `3`.
    /// - **Default:** none.
    /// - **Foreground:** applies.
    /// - **Errors:** a standard stream; in the foreground without `notify`, a pipe that nobody reads.
    /// - **Rule:** the protocol of s6-supervise(8): a newline, and the end of the pipe.
    /// - **Known as:** `notification-fd` in s6, `ready-notification = pipefd:3` in dinit, `notify=fd:3` in
    ///   supervise-daemon.
    pub fn ready_fd(&mut self, fd: RawFd) -> &mut Self {
        self.ready_fd = Some(fd);
        self
    }

    /// How long the daemon may take until it is ready. When the time runs out, its process group is ended: with
    /// SIGTERM, and five seconds later with SIGKILL.
    ///
    /// - **Takes:** a [`Duration`]. [`Duration::MAX`] means for ever.
    /// - **Default:** 90 seconds, as under systemd.
    /// - **Foreground:** nobody waits.
    /// - **Errors:** a duration of zero.
    /// - **Rule:** systemd.service(5), for the default.
    /// - **Known as:** `TimeoutStartSec=` in systemd.service(5).
    pub fn start_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.start_timeout = timeout;
        self
    }

    /// How long the daemon may take to stop, if the program calls [`stop_requested`](crate::stop_requested). When the
    /// time runs out, the process is ended by the signal that asked it to stop. A line on standard error says so; if
    /// standard error is the null device, the line goes to the system's log.
    ///
    /// [`obey`](Self::obey) also gives the daemon that time, and a second more before it sends SIGKILL. If a service
    /// manager stops the daemon, set a time that is shorter than the manager's own: systemd waits for 90 seconds,
    /// Docker and dinit for 10.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use daemon_rt::{daemon, stop_requested};
    ///
    /// #[daemon(stop_timeout = Duration::from_secs(5))]
    /// fn main() -> Result<(), daemon_rt::Error> {
    ///     stop_requested()?.wait();
    ///     Ok(()) // what takes longer than 5 seconds to drop is cut off
    /// }
    /// ```
    ///
    /// - **Takes:** a [`Duration`]. [`Duration::MAX`] means for ever.
    /// - **Default:** the daemon may take as long as it likes, and `obey` waits for 10 seconds.
    /// - **Foreground:** applies.
    /// - **Errors:** a duration of zero; no timer, `timer_create(2)`.
    /// - **Rule:** systemd.service(5).
    /// - **Known as:** `TimeoutStopSec=` in systemd.service(5), `stop-timeout` in dinit.
    pub fn stop_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.stop_timeout = Some(timeout);
        self
    }

    /// Whether the daemon is started again when it has ended.
    ///
    /// The leader of the start then stays as the supervisor. When the daemon fails, the supervisor forks the next one
    /// from the memory that `setup` left. So the sockets of `setup` stay open, and connections wait in their queue
    /// instead of being refused. The first daemon is started again only if it became ready. If a later daemon is not
    /// ready within [`start_timeout`](Self::start_timeout), that counts as a failure. The page [Staying
    /// up](crate::docs::staying_up) shows the processes.
    ///
    /// Random numbers that `setup` drew or seeded repeat in each daemon. Reseed first in `main`.
    ///
    /// The [`pidfile`](Self::pidfile) names the supervisor, which also removes it. SIGTERM and SIGINT to the supervisor
    /// end both processes. The supervisor then waits until the daemon has ended. If
    /// [`stop_timeout`](Self::stop_timeout) is set, the supervisor sends SIGKILL half a second after that time. All
    /// other signals except SIGUSR2 are passed on once the daemon is ready. If the supervisor itself is killed, the
    /// daemon is killed with it.
    ///
    /// SIGUSR2 to the supervisor lets a new version of the program take over,
    /// [`PidFile::upgrade`](crate::PidFile::upgrade).
    ///
    /// Each time the daemon ends, the supervisor writes one line to the system's log, and also to the daemon's log if
    /// standard error is a file. The next daemon opens its log by the path, as its user.
    ///
    /// The supervisor keeps the privileges of the launch, and runs none of the program's code. It holds open what
    /// `setup` opened, the streams and the pidfile.
    ///
    /// - **Takes:** a [`Respawn`]: `Respawn::on_failure()` or `Respawn::always()`, with a limit and delays.
    /// - **Default:** the daemon is not started again, and there is no supervisor.
    /// - **Foreground:** has no effect; a service manager has `Restart=` or something like it.
    /// - **Errors:** a limit or a delay of zero; a [`user`](Self::user) whom the supervisor may not signal (it needs
    ///   root or, on Linux, `CAP_KILL`).
    /// - **Rule:** systemd.service(5), for what is a failure.
    /// - **Known as:** `Restart=` and `RestartSec=` in systemd.service(5), `-r` and `-R` in FreeBSD's daemon(8).
    ///
    /// # Platform-specific behavior
    ///
    /// On systems other than Linux, if the supervisor is killed, the daemon lives on. The pidfile stays locked until
    /// the daemon ends.
    pub fn respawn(&mut self, respawn: Respawn) -> &mut Self {
        start::set_respawn(self, respawn);
        self
    }

    /// The file that guarantees one running instance and names its process, e.g. `"/run/clockd.pid"`.
    ///
    /// The launcher locks the file, flock(2), and the daemon holds that lock as long as it runs, so a second start
    /// fails. The daemon writes its process id to the file, in decimal with a newline; with
    /// [`respawn`](Self::respawn), newlines fill the file up to 9 bytes. It removes the file when it exits, also after a
    /// panic that unwinds. A relative path starts from the directory where the program was
    /// launched.
    ///
    /// SIGTERM and SIGINT also remove the file, before they end the process as they do by default. A handler does this,
    /// and is installed as soon as the file exists. No handler is installed for a signal that is ignored, or for which
    /// `setup` has a handler. If `main` installs a handler later, it replaces this one, even if it calls the previous
    /// handler, as those of signal-hook and tokio do. `ctrlc::set_handler` replaces it, too; `ctrlc::try_set_handler`
    /// finds it and refuses. In a worker that is forked without exec, both signals have their default action.
    ///
    /// The file has mode 0600, as with pidfile(3) of FreeBSD, because everybody who can read a file can lock it. It
    /// belongs to the effective user of the launch. When `main` begins, the daemon has the file open only for reading
    /// (an ordinary user's on NFS also for writing). If an attacker takes over a daemon that gave up root, they cannot
    /// write another process's id there, for root to signal. Nor can such a daemon empty the file, or remove it from a
    /// directory that belongs to root: at the end the file stays, with its number, unlocked. The file also stays after
    /// any other signal that ends the daemon, such as SIGKILL. The next start takes it over, and
    /// [`PidFile`](crate::PidFile) sees from the lock that no daemon runs. A script must not rely on the number alone:
    /// `start-stop-daemon --exec` also compares the program. `pkill --logpidfile` checks that the file is locked, and
    /// compares the name that it is given.
    ///
    /// The start takes over a file that is empty, or holds one number and white space. Older programs leave files that
    /// others may read or write. If such a file belongs to the caller, it is replaced with a proper one. If its
    /// directory does not permit that, it gets the mode 0600.
    ///
    /// A worker that is forked and does not exec also holds the lock, as long as it lives.
    ///
    /// - **Takes:** a path.
    /// - **Default:** none. Under systemd's `Type=forking`, the path of its `PIDFile=`.
    /// - **Foreground:** applies, unless standard input is the connection to serve, as under inetd.
    /// - **Errors:** another instance runs; a file that holds anything other than one number; a symbolic link, or
    ///   another file that is not regular; a file that belongs to neither root nor the caller, or has a second hard
    ///   link; for root, a file that others may replace, because they may write in a directory of its path that is not
    ///   sticky; for root, a file on NFS from version 4 on, which locks only files that are open for writing; a file
    ///   other than that of systemd's `PIDFile=`.
    /// - **Rule:** daemon(7), step 12; flock(2).
    /// - **Known as:** `PIDFile=` in systemd.service(5), `-p` in FreeBSD's daemon(8).
    ///
    /// # Platform-specific behavior
    ///
    /// In a Linux user namespace, a directory that belongs to somebody outside does not count as root's,
    /// `user_namespaces(7)`. If the only user id of the namespace is an ordinary user's outside, as with `unshare
    /// --map-root-user`, root is treated as that user. On systems other than Unix, the start fails.
    pub fn pidfile(&mut self, path: impl Into<PathBuf>) -> &mut Self {
        self.pidfile = Some(path.into());
        self.lock = None;
        self
    }

    /// Locks the [`pidfile`](Self::pidfile) now, instead of after `setup`. Use it if `setup` binds or removes a
    /// socket: as long as another instance runs, that socket belongs to it.
    ///
    /// # Errors
    ///
    /// Another instance runs; the file cannot be opened or locked; or the option `pidfile` is not set.
    ///
    /// # Platform-specific behavior
    ///
    /// On systems without flock(2), an error.
    pub fn lock(&mut self) -> Result<(), Error> {
        start::lock(self)
    }

    /// Does what the command line of a daemon asks for. It returns if the start is to go on: for [`Control::Start`];
    /// for [`Control::Run`], which sets [`Detach::Never`]; and for [`Control::Restart`], when the old daemon has ended.
    /// After all other actions it exits.
    ///
    /// ```no_run
    /// use daemon_rt::{Control, Daemon, Error, daemon};
    ///
    /// fn setup(daemon: &mut Daemon) -> Result<(), Error> {
    ///     let control: Control = std::env::args().nth(1).unwrap_or_default().parse()?;
    ///     daemon.pidfile("/run/clockd.pid").obey(control)
    /// }
    ///
    /// #[daemon(setup = setup, stdout = "/var/log/clockd.log")]
    /// fn main() {}
    /// ```
    ///
    /// Call it in `setup`, after you have read the command line. Read the configuration before the call, too, but only
    /// for `start`, `run` and `restart`, as in [the manual](macro@crate::daemon#start-stop-status). If it is broken,
    /// `restart` then leaves the running daemon alone, and `stop` and `status` still work. Call `obey` before `setup`
    /// binds sockets, because the old daemon has them until it ends.
    ///
    /// Set the [`pidfile`](Self::pidfile) right before the call, as above. If you set it earlier, and a daemon runs,
    /// the launcher [prints `already running`](Self::run_with) in place of any error of `setup`. Use an absolute path,
    /// so that the daemon is found from every directory.
    ///
    /// | Action | Says on standard output | Exit status |
    /// |---|---|---|
    /// | `stop` | `clockd has ended`, `clockd was not running`, `clockd did not end within 10s, and was killed` | 0 |
    /// | `restart` | the same | that of the start |
    /// | `reload` | nothing: the daemon got SIGHUP | 0 |
    /// | `upgrade` | `clockd has been upgraded, and runs as process 4242` | 0 |
    /// | `status` | `clockd has been running as process 4242 since 2026-11-30T20:47:58Z`, `clockd is starting` | 0 |
    /// | | the same, and `, which supervises process 4243`, with [`respawn`](Self::respawn) | 0 |
    /// | | `clockd is not running, and left /run/clockd.pid behind` | 1 |
    /// | | `clockd is not running` | 3 |
    /// | | `cannot tell whether clockd is running`, and why | 4 |
    ///
    /// `clockd` stands for the [`name`](Self::name). Set it before the call. If `stop`, `restart`, `reload` or
    /// `upgrade` fails, standard error says why, with the errors of [`PidFile`](crate::PidFile). The exit status is 7
    /// if there is no daemon to reload or to upgrade, 3 if the daemon would end on SIGHUP or has no supervisor, 4 if
    /// the caller may not read the pidfile or signal the daemon, and otherwise 1. These are the statuses of the Linux
    /// Standard Base, 22.2, with one exception: if a daemon already runs, `start` fails with 1 and not with 0, because
    /// nobody knows whether that daemon is ready.
    ///
    /// `upgrade` waits for the new version as long as the supervisor waits: twice the
    /// [`start_timeout`](Self::start_timeout).
    ///
    /// `stop` also ends a daemon that is still starting. `status` says that a daemon is running as soon as its process
    /// id is in the pidfile. `stop` and `restart` send SIGTERM, and SIGKILL after 10 seconds. If
    /// [`stop_timeout`](Self::stop_timeout) is set, they send SIGKILL a second after that time instead, so set it
    /// before the call. Do not call `stop` twice: the second SIGTERM ends a daemon that is still
    /// [finishing](crate::stop_requested). If `stop_timeout` ends the daemon, `stop` says only that it has ended; its
    /// log says why.
    ///
    /// # Errors
    ///
    /// The option `pidfile` is not set, or its path is not valid. Or [`lock`](Self::lock) was called before: then no
    /// other daemon can be running.
    ///
    /// # Platform-specific behavior
    ///
    /// On systems other than Linux, nothing shows whether the daemon would end on SIGHUP. On systems other than Unix,
    /// `obey` is an error.
    pub fn obey(&mut self, control: Control) -> Result<(), Error> {
        obey::obey(self, control)
    }

    /// The exit status of the launcher if `setup` fails after this call, for example one from `sysexits.h(3head)`.
    /// The default is 1. A status of 0 would mean that a daemon runs, so 0 becomes 1.
    ///
    /// ```no_run
    /// use std::{fs, io, net::TcpListener};
    ///
    /// use daemon_rt::{Daemon, daemon};
    ///
    /// const EX_UNAVAILABLE: u8 = 69;
    /// const EX_CONFIG: u8 = 78;
    ///
    /// fn setup(daemon: &mut Daemon) -> io::Result<TcpListener> {
    ///     daemon.exit_status(EX_CONFIG);
    ///     let address = fs::read_to_string("echod.conf")?;
    ///     daemon.exit_status(EX_UNAVAILABLE);
    ///     TcpListener::bind(address.trim())
    /// }
    ///
    /// #[daemon(setup = setup)]
    /// fn main(listener: TcpListener) {}
    /// ```
    pub fn exit_status(&mut self, status: u8) -> &mut Self {
        self.setup_status = status;
        self
    }

    /// Takes an inherited descriptor, such as the 9 of `program 9>lock`. The caller now owns it. It stays open in
    /// the daemon, and is closed on exec.
    ///
    /// # Errors
    ///
    /// The program did not inherit that descriptor, it was taken before, or it was closed or replaced since the
    /// launch. 0, 1 and 2 cannot be taken: see [`stdin`](Self::stdin).
    #[cfg(unix)]
    pub fn take_fd(&mut self, fd: RawFd) -> Result<OwnedFd, Error> {
        self.inherited.take(fd)
    }

    /// Starts the daemon, and runs `main` in it.
    ///
    /// Returns in the process that ran `main`, with its exit status: in the daemon or, without a detach, in the
    /// foreground. In the launcher it returns only if the start fails before the first fork; by then it has printed
    /// the reason to standard error. After a fork, the launcher exits by `_exit(2)`: its destructors and atexit
    /// handlers do not run.
    ///
    /// The launcher exits with 0 if and only if the daemon is ready. Otherwise it exits as the daemon did: with the
    /// same status, or with 128 plus the number of the signal that ended it. It exits with 1 if the daemon exited with
    /// 0 before it was ready, if a step failed, or if `start_timeout` ran out. In all these cases no process of the
    /// daemon's process group is left behind.
    pub fn run<T: Termination>(&mut self, main: impl FnOnce() -> T) -> ExitCode {
        self.run_with(|_| Ok::<_, Error>(()), |()| main())
    }

    /// Runs `setup`, starts the daemon, and runs `main` in it, as [`run`](Self::run) does. `main` gets what
    /// `setup` returns. In the attribute, this is the option `setup`.
    ///
    /// `setup` runs in the launcher before anything changes, with the launcher's terminal, directory, environment,
    /// descriptors and privileges. Parse the command line there, bind sockets, and change options. `setup` must not
    /// leave a thread behind: only the calling thread lives on after a fork.
    ///
    /// If `setup` fails, its error is printed with `{:#}`. The launcher exits with 1, or with the
    /// [`exit_status`](Self::exit_status) that `setup` chose. But if another instance holds the
    /// [`pidfile`](Self::pidfile), that is printed instead, because it is usually the cause. So if `setup` stops or
    /// reloads the daemon with [`PidFile`](crate::PidFile), set the option `pidfile` only after that.
    /// [`obey`](Self::obey) prints its errors itself.
    ///
    /// - **Takes:** the path of a function `fn(&mut Daemon) -> Result<S, E>`. `E` implements `Display`, and `main`
    ///   takes the `S`.
    /// - **Default:** none.
    /// - **Foreground:** applies.
    /// - **Errors:** the error that it returns; a thread that it leaves behind.
    /// - **Rule:** fork(2), for what crosses it.
    /// - **Known as:** `ExecStartPre=` in systemd.service(5), and the code before the call of daemon(3).
    pub fn run_with<S, E: Display, T: Termination>(
        &mut self,
        setup: impl FnOnce(&mut Daemon) -> Result<S, E>,
        main: impl FnOnce(S) -> T,
    ) -> ExitCode {
        run::run(self, setup, main)
    }

    /// Starts the daemon in the middle of a function, as daemon(3) does: the code after the call runs in the daemon, or in
    /// the foreground.
    ///
    /// Use it if the program cannot pass the rest of its work to [`run`](Self::run) as a closure. The options are the
    /// same, and the launcher keeps the same promise: it exits with 0, by `_exit(2)`, if and only if the daemon is
    /// ready. If the start fails, `start` returns the error in the launcher, and prints nothing. The launcher's signals
    /// are then the same as before the call. Call it only once: a second call is an error, and so is a call after
    /// `run`.
    ///
    /// ```no_run
    /// use daemon_rt::Daemon;
    ///
    /// fn main() {
    ///     let mut daemon = Daemon::new();
    ///     println!("starting");
    ///     daemon.stdout("/var/log/clockd.log").start().unwrap_or_else(|error| error.exit());
    ///     println!("this line is in the log");
    /// }
    /// ```
    ///
    /// A service manager hears `STOPPING=1` when the program exits, whether `main` returns or panics, or exit(3) is
    /// called. The last words of a panic go to the system's log as always. But `start` does not see what the program's
    /// own `main` returns. If that is an error, Rust prints it to standard error, which is the null device unless a
    /// [`stderr`](Self::stderr) or [`stdout`](Self::stdout) is given. So give the daemon a log, or use `run`.
    ///
    /// The forks copy everything on the stack. If the daemon gets ready, the launcher drops nothing. If the start
    /// fails, the launcher drops everything as usual.
    ///
    /// # Errors
    ///
    /// A step of the start failed, or the daemon ended before it was ready. [`exit_status`](Error::exit_status),
    /// [`stderr`](Error::stderr) and [`already_running`](Error::already_running) tell more. In the foreground, what the
    /// start has changed before it fails stays changed.
    pub fn start(&mut self) -> Result<(), Error> {
        run::start(self)
    }

    /// Starts a daemon that runs `main`, while the caller goes on. Use it if a client starts its own server.
    ///
    /// Returns when the daemon is ready. With [`notify`](Self::notify), that is when `main` has called
    /// [`ready`](crate::ready). The caller then goes on as before. The daemon is not the caller's child, and no other
    /// child is left. The caller's signal mask, its action for SIGCHLD, its streams and its descriptors do not change.
    /// It may call `spawn` again.
    ///
    /// The daemon ends with `main`, by `_exit(2)`. Its exit status is what `main` returned, or 101 after a panic. The
    /// caller's guards, thread-locals and exit handlers do not run in the daemon. But if `main` calls
    /// [`exit`](std::process::exit), the exit handlers do run there. There are two copies of what `main` captured: the
    /// daemon has one, and the caller drops the other before `spawn` returns. [What the caller has
    /// open](macro@crate::daemon#what-the-daemon-gets-from-the-program) stays open in the daemon.
    ///
    /// If the caller holds a mutex or a similar lock in memory, nothing releases the daemon's copy of it, and other
    /// threads of the daemon wait for it for ever. So hold no lock, not even that of [`stdout`](std::io::stdout).
    ///
    /// Two programs may spawn the same daemon at once. With a [`pidfile`](Self::pidfile), one of them starts it. The
    /// other waits for that start, for at most [`start_timeout`](Self::start_timeout). If the first start fails,
    /// `spawn` starts a daemon of its own. Otherwise it returns an error that says which process is [already
    /// running](Error::already_running). A client that gets that error can connect.
    ///
    /// Here, too, call [`new`](Self::new) first thing in the program. A descriptor that is already open by then, and
    /// stays open on exec, counts as inherited. The daemon closes it, even if `main` has captured it. A lock that
    /// [`lock`](Self::lock) took goes to the daemon, or is released if the start fails.
    ///
    /// `spawn` always detaches, no matter what launched the caller. If a service manager waits for the caller, it hears
    /// nothing of the daemon, and the daemon does not get the sockets that the manager passed.
    ///
    /// ```no_run
    /// use std::os::unix::net::{UnixListener, UnixStream};
    ///
    /// use daemon_rt::Daemon;
    ///
    /// fn serve() -> std::io::Result<()> {
    ///     let listener = UnixListener::bind("/run/clockd.socket")?;
    ///     daemon_rt::ready()?;
    ///     listener.incoming().try_for_each(|client| client.map(drop))
    /// }
    ///
    /// let server = Daemon::new().notify(true).spawn(serve)?;
    /// println!("started server {}", server.pid());
    /// let connection = UnixStream::connect("/run/clockd.socket")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A process that has threads cannot be copied. Such a client executes its own program again, and that process
    /// starts the daemon. The client gets the exit status of that process, and what it printed. The manual has [the
    /// whole program](macro@crate::daemon#a-client-with-threads).
    ///
    /// # Errors
    ///
    /// The errors that [`run`](Self::run) would print, with the status that it would exit with: see [`Error`]. It is
    /// also an error if `detach` is [`Detach::Never`], if the caller has a second thread, if the caller is itself a
    /// daemon of this library, or if its standard output cannot be flushed.
    ///
    /// # Platform-specific behavior
    ///
    /// If the caller is killed before `spawn` returns, the start ends on Linux. On other systems the daemon may still
    /// come up. Only Linux shows, in `/proc`, that another start is under way; no system shows it for a program in the
    /// foreground. If the caller has made itself a subreaper, prctl(2), or is process 1, it adopts the daemon, as it
    /// adopts every orphan. On systems other than Unix, `spawn` is an error.
    pub fn spawn<T: Termination>(&mut self, main: impl FnOnce() -> T) -> Result<Spawned, Error> {
        start::spawn(self, main)
    }
}

impl Default for Daemon {
    fn default() -> Self {
        Self::new()
    }
}
