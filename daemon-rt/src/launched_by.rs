//! What started the program, and whether the program is to detach from it: the table of the manual's option `detach`,
//! row by row.
//!
//! Everything is noted before `setup`, because its libraries may remove variables and close sockets.

mod ancestors;
mod caller;
mod parent;
mod standard_streams;
mod upgrade;
mod variables;

use std::{
    ffi::OsStr,
    fmt,
    fs::{self, File, Metadata},
    ops::Range,
    os::{fd::RawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use nix::{libc, unistd::getpid};

use self::{
    parent::{Group, Parent},
    variables::{Named, Trust, Variables},
};
pub(crate) use self::{
    upgrade::{VARIABLE, is_upgrade, line_of_upgrade},
    variables::names_this_process,
};
use crate::{inherited::Inherited, sys};

/// What started the program, as far as the program can tell, in words: `systemd: SYSTEMD_EXEC_PID is its process id`.
///
/// [`Daemon::new`](crate::Daemon::new) finds it, before `setup` runs, and the option [`detach`](crate::Detach) does not
/// change it. The manual has the table at [`detach`](macro@crate::daemon#detach--detachauto). To log it, so that people
/// can see why the program detached or stayed:
///
/// ```no_run
/// use std::{convert::Infallible, process::ExitCode};
///
/// use daemon_rt::Daemon;
///
/// fn main() -> ExitCode {
///     let setup = |daemon: &mut Daemon| Ok::<_, Infallible>(daemon.launched_by().to_string());
///     Daemon::new().run_with(setup, |launched_by| println!("launched by {launched_by}"))
/// }
/// ```
///
/// # Platform-specific behavior
///
/// The name of the parent is known only on Linux.
#[derive(Debug)]
pub struct LaunchedBy {
    evidence: Evidence,
    variables: Variables,
    has_peer_on_stdin: bool,
    caller_sees_less: bool,
}

/// One row of the table each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evidence {
    FirstProcess,
    ParentElsewhere,
    SystemdForking,
    SystemdForkingBefore248,
    SocketActivation,
    Systemd,
    SystemdBefore248,
    NotifySocket,
    Supervisord,
    InternetSocket,
    Parent(&'static str),
    Init,
    Upgrade,
    Nothing,
}

/// Programs that watch their children themselves.
const SUPERVISORS: [&str; 22] = [
    "tini",
    "tini-static",
    "docker-init", // tini, as `docker run --init` starts it
    "dumb-init",
    "catatonit",
    "podman-init", // catatonit, as `podman run --init` starts it
    "conmon",      // podman and CRI-O, without a pid namespace
    "containerd-shim",
    "bwrap",
    "runsv",
    "supervise", // daemontools
    "s6-supervise",
    "supervise-daemon", // OpenRC
    "dinit",            // a user's dinit, or one that pipes the logs
    "supervisord",      // on a terminal
    "daemon",           // libslack's
    "inetd",            // with a socket of this machine
    "xinetd",
    "fghack", // daemontools: keeps programs that background themselves in a supervisor's sight
    "s6-fghack",
    "(sd-stubinit)",  // `systemd-nspawn --as-pid2`
    "systemd-nspawn", // the same, before it has changed its name
];

/// Names of a process 1 that starts services, and keeps them in the foreground. In a container, process 1 can also be
/// any other program, such as a shell, node, python or java. It then adopts the orphans of its children.
const INITS: [&str; 19] = [
    "init", // System V, busybox, OpenRC, Upstart, Void's runit-init
    "systemd",
    "runit",
    "openrc-init",
    "s6-svscan",
    "dinit",
    "finit",
    "shepherd",
    "procd",    // OpenWrt
    "init.lxc", // lxc-execute
    "tini",
    "tini-static",
    "docker-init",
    "podman-init",
    "dumb-init",
    "catatonit",
    "bwrap",
    "(sd-stubinit)",
    "systemd-nspawn",
];

impl LaunchedBy {
    pub(crate) fn find(inherited: &Inherited) -> Self {
        let mut variables = Variables::read();
        let evidence = evidence(&mut variables, inherited);
        let is_systemd = variables.systemd_exec_pid == Named::ThisProcess
            || evidence.is_systemd_forking()
            || evidence == Evidence::SystemdBefore248;
        let is_inetd = matches!(evidence, Evidence::Parent("inetd" | "xinetd"));
        // For other kinds of sockets, only known managers count: ssh and Node also pass sockets as standard input.
        let has_peer_on_stdin = match standard_streams::socket_family(libc::STDIN_FILENO) {
            Some(libc::AF_INET | libc::AF_INET6) => true,
            Some(_) => is_systemd || is_inetd,
            None => false,
        };
        let caller_sees_less = variables.trust != Trust::Everybody && caller::sees_less();
        Self { evidence, variables, has_peer_on_stdin, caller_sees_less }
    }

    /// Whether the program detaches with [`Detach::Auto`](crate::Detach::Auto).
    #[must_use]
    pub fn detaches(&self) -> bool {
        self.evidence.is_systemd_forking() || [Evidence::Upgrade, Evidence::Nothing].contains(&self.evidence)
    }

    /// For an upgrade: the running daemon's supervisor executed the program to let it take over. Whatever launched that
    /// supervisor no longer waits. systemd reads the pidfile of the running daemon, if `pidfile` is open on that file.
    pub(crate) fn be_upgrade(&mut self, pidfile: Option<&File>) {
        let id = |file: Metadata| (file.dev(), file.ino());
        let own = pidfile.and_then(|file| file.metadata().ok()).map(id);
        let is_own = |path: &PathBuf| own.is_some() && fs::metadata(path).ok().map(id) == own;
        self.evidence = Evidence::Upgrade;
        self.variables.pidfile = self.variables.pidfile.take().filter(is_own);
        self.has_peer_on_stdin = false;
    }

    pub(crate) fn is_upgrade(&self) -> bool {
        self.evidence == Evidence::Upgrade
    }

    /// For `spawn`: whatever launched the program waits for the program, not for the daemon.
    pub(crate) fn forget_manager(&mut self) {
        self.evidence = Evidence::Nothing;
        self.variables.passed_fds = 0..0;
        self.has_peer_on_stdin = false;
    }

    /// The pidfile that systemd reads, `PIDFile=` in systemd.service(5).
    pub(crate) fn pidfile(&self) -> Option<&Path> {
        let is_systemd_reading = self.evidence.is_systemd_forking() || self.is_upgrade();
        self.variables.pidfile.as_deref().filter(|_| is_systemd_reading)
    }

    /// The socket of the manager that waits for the program. If a person's terminal inherited the variable, its manager
    /// waits for something else.
    pub(crate) fn notify_socket(&self) -> Option<&OsStr> {
        let waits = ![Evidence::Upgrade, Evidence::Nothing].contains(&self.evidence);
        self.variables.notify_socket.as_deref().filter(|_| waits)
    }

    /// Whether systemd started another program, which then started this one, as far as that can be seen.
    pub(crate) fn is_behind_wrapper(&self) -> bool {
        match self.variables.systemd_exec_pid {
            Named::ThisProcess => false,
            Named::Another(_) => true,
            Named::Nobody => self.variables.has_invocation_id,
        }
    }

    /// The sockets that the manager passed, `sd_listen_fds(3)`.
    pub(crate) fn passed_fds(&self) -> Range<RawFd> {
        self.variables.passed_fds.clone()
    }

    /// Whether the program's libraries may trust that variable.
    pub(crate) fn believes(&self, variable: &str) -> bool {
        match self.variables.trust {
            Trust::Everybody | Trust::Systemd => variable != "NOTIFY_SOCKET" || self.variables.notify_socket.is_some(),
            Trust::Nobody => false,
        }
    }

    /// Whether this process, by exec, sees more of the file system than the user who called it. That user must not
    /// learn what it finds there.
    pub(crate) fn caller_sees_less(&self) -> bool {
        self.caller_sees_less
    }

    /// Whether standard input is the connection, or the socket, that this process serves. Several such processes may
    /// run at once.
    pub(crate) fn has_peer_on_stdin(&self) -> bool {
        self.has_peer_on_stdin
    }

    /// Whether standard error goes to that peer.
    pub(crate) fn has_peer_on_stderr(&self) -> bool {
        self.has_peer_on_stdin && sys::are_the_same(libc::STDIN_FILENO, libc::STDERR_FILENO)
    }
}

/// The first row that applies. The kernel is asked only when a row needs it.
fn evidence(variables: &mut Variables, inherited: &Inherited) -> Evidence {
    if getpid().as_raw() == 1 {
        return Evidence::FirstProcess;
    }
    let parent = Parent::find();
    if parent.id == 0 && !standard_streams::have_controlling_terminal() {
        return Evidence::ParentElsewhere;
    }
    variables.forget_anothers(parent.id);
    let is_systemd = variables.systemd_exec_pid == Named::ThisProcess;
    let is_before_248 = variables.systemd_exec_pid == Named::Nobody
        && variables.has_invocation_id
        && parent.is_named("systemd")
        && !inherited.is_in_background();
    if is_systemd && variables.pidfile.is_some() {
        return Evidence::SystemdForking;
    }
    if is_before_248 && variables.pidfile.is_some() {
        return Evidence::SystemdForkingBefore248;
    }
    if variables.listen_pid == Named::ThisProcess {
        return Evidence::SocketActivation;
    }
    if is_systemd {
        return Evidence::Systemd;
    }
    if is_before_248 {
        return Evidence::SystemdBefore248;
    }
    if variables.notify_socket.is_some() && !standard_streams::have_controlling_terminal() {
        return Evidence::NotifySocket;
    }
    if variables.has_supervisor_enabled && !standard_streams::have_controlling_terminal() {
        return Evidence::Supervisord;
    }
    if let Some(libc::AF_INET | libc::AF_INET6) = standard_streams::socket_family(libc::STDIN_FILENO) {
        return Evidence::InternetSocket;
    }
    // A supervisor gives its child a process group of its own, or leaves it in the supervisor's. An adopted orphan is
    // in another group.
    let is_child = parent.group == Group::Shared || parent.group == Group::Own;
    if let Some(name) = SUPERVISORS.into_iter().find(|name| is_child && parent.is_named(name)) {
        return Evidence::Parent(name);
    }
    // If a shell is process 1, its children are in its group, so they do not count here. For a shell's `program &` it
    // would be a matter of luck whether the parent has already exited and left it to process 1. So that does not count
    // either.
    if parent.id == 1
        && parent.may_be_named(&INITS)
        && parent.group != Group::Shared
        && !inherited.is_in_background()
        && standard_streams::are_nobodys()
        && !standard_streams::have_controlling_terminal()
    {
        return Evidence::Init;
    }
    Evidence::Nothing
}

impl Evidence {
    fn is_systemd_forking(self) -> bool {
        matches!(self, Self::SystemdForking | Self::SystemdForkingBefore248)
    }
}

impl fmt::Display for LaunchedBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.evidence {
            Evidence::FirstProcess => "a container: its process id is 1",
            Evidence::ParentElsewhere => "a container: its parent is in another pid namespace, and it has no terminal",
            Evidence::SystemdForking => {
                "systemd with Type=forking: SYSTEMD_EXEC_PID is its process id, and PIDFILE is set"
            }
            Evidence::SystemdForkingBefore248 => {
                "systemd with Type=forking: INVOCATION_ID and PIDFILE are set, and its parent is named systemd"
            }
            Evidence::SocketActivation => "socket activation: LISTEN_PID is its process id",
            Evidence::Systemd if self.variables.trust == Trust::Systemd => {
                "systemd: SYSTEMD_EXEC_PID is its process id, and its parent is process 1"
            }
            Evidence::Systemd => "systemd: SYSTEMD_EXEC_PID is its process id",
            Evidence::SystemdBefore248 => "systemd: INVOCATION_ID is set, and its parent is named systemd",
            Evidence::NotifySocket => "a service manager: NOTIFY_SOCKET is set, and it has no terminal",
            Evidence::Supervisord => "supervisord: SUPERVISOR_ENABLED is set, and it has no terminal",
            Evidence::InternetSocket => "inetd: its standard input is an internet socket",
            Evidence::Parent(name) => return write!(formatter, "a supervisor: its parent is named {name}"),
            Evidence::Init => "init: its parent is process 1, and its streams are neither terminal, pipe nor socket",
            Evidence::Upgrade => "an upgrade: the line of DAEMON_UPGRADE leads to its parent",
            Evidence::Nothing if self.variables.trust == Trust::Nobody => {
                "a shell or a program: exec gave this one more rights than its caller has, so no variable is trusted"
            }
            Evidence::Nothing if self.variables.was_anothers => {
                "a program of another service: the manager's variables are for that service"
            }
            Evidence::Nothing => "a shell or a program: nothing shows a service manager",
        })
    }
}
