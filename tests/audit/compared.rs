//! What is compared, each by the best that its documentation shows.

use std::{
    ffi::OsString,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

use tempfile::TempDir;

use crate::{
    Failure, beside_this, build,
    program::Program,
    sources,
    tools::{self, Tool},
};

pub(crate) struct Compared {
    pub(crate) title: &'static str,
    /// Where it comes from, and its version.
    pub(crate) version: String,
    pub(crate) notes: &'static [Note],
    pub(crate) program: Program,
    /// Where its program lies.
    _place: Option<TempDir>,
}

/// What is so on purpose, or as its documentation says.
pub(crate) struct Note {
    /// Of the criteria.
    pub(crate) ids: &'static [&'static str],
    pub(crate) text: &'static str,
}

pub(crate) fn all() -> Result<Vec<Compared>, Failure> {
    build::own_programs()?;
    let crates = build::crates()?;
    Ok(vec![
        ours()?,
        by_crate("blivet", &crates, BLIVET)?,
        by_crate("daemonize", &crates, DAEMONIZE)?,
        by_crate("daemonize2", &crates, DAEMONIZE2)?,
        by_crate("daemonizr", &crates, DAEMONIZR)?,
        by_crate("fork", &crates, FORK)?,
        python_daemon()?,
        daemon3()?,
        start_stop_daemon()?,
        daemonize()?,
        libslack_daemon()?,
    ])
}

fn ours() -> Result<Compared, Failure> {
    let version = locked_version(&sources().join("../../Cargo.lock"), "daemon-rt")?;
    let program = Program::new(vec![beside_this("probe")?.into()], beside_this("arrange")?);
    Ok(Compared { title: "daemon-rt", version, notes: OURS, program, _place: None })
}

const OURS: &[Note] = &[
    Note { ids: &["12i"], text: "With the option `respawn`, the supervisor removes it." },
    Note { ids: &["2a"], text: "An ignored SIGPIPE stays ignored: the Rust runtime ignores it in every program." },
    Note {
        ids: &["4b"],
        text: "With the option. By default, it keeps all variables of the launcher. `setup` can set others.",
    },
    Note { ids: &["10"], text: "With the option. The default is 0o027." },
];

/// A program of the directory `peers`.
fn by_crate(title: &'static str, crates: &Path, notes: &'static [Note]) -> Result<Compared, Failure> {
    let version = locked_version(&sources().join("peers/Cargo.lock"), title)?;
    let program = Program::new(vec![crates.join(title).into()], beside_this("arrange")?);
    Ok(Compared { title, version: format!("{version} of crates.io"), notes, program, _place: None })
}

const BLIVET: &[Note] = &[
    Note { ids: &["12h"], text: "It takes absolute paths only, and says so." },
    Note { ids: &["C7", "C8"], text: "With `report_error_msg`. Without it, the launcher exits with 1 if `main` ends." },
    Note { ids: &["N1"], text: "It stays only if the program sets `foreground(true)`." },
    Note { ids: &["S1"], text: "With `cleanup_on_term_signals`." },
    Note { ids: &["S2"], text: "With the crate `signal-hook`, as its documentation shows." },
    Note { ids: &["O3"], text: "With `exec`, or with its program `daemonize`." },
];

const DAEMONIZE: &[Note] = &[
    Note { ids: &["9c", "C1"], text: "The program opens the log." },
    Note { ids: &["10"], text: "With the option. The default is 0o027." },
];

const DAEMONIZE2: &[Note] = &[
    Note { ids: &["9c", "C1"], text: "The program opens the log." },
    Note { ids: &["10"], text: "With the option. The default is 0o027." },
    Note { ids: &["11"], text: "With the option. The default is the directory of the launch." },
    Note { ids: &["C13"], text: "`start` is an `unsafe fn`, and its documentation excludes a second thread." },
];

const DAEMONIZR: &[Note] = &[
    Note { ids: &["10"], text: "With the option. The default is 0o027." },
    Note { ids: &["11"], text: "With the option. The default is the directory of the launch." },
    Note { ids: &["12g"], text: "Its documentation says that the file stays, without the lock." },
    Note {
        ids: &["12h"],
        text: "If `pidfile` is called before `work_dir`. Otherwise the path starts from that directory.",
    },
];

const FORK: &[Note] = &[
    Note { ids: &["2c"], text: "With `ensure_waitable_children`." },
    Note { ids: &["9c", "C1"], text: "The program opens the log." },
    Note { ids: &["14c"], text: "`notify_ready` fails if the launcher has gone, and the program exits." },
    Note {
        ids: &["C8", "C9"],
        text: "The launcher gets an error, and the program chooses its exit status. `fail_and_exit` passes an \
               error number from the daemon to the launcher.",
    },
    Note { ids: &["C13"], text: "Its documentation says to call it before there is another thread." },
];

fn python_daemon() -> Result<Compared, Failure> {
    let requirements = fs::read_to_string(sources().join("peers/requirements.txt"))?;
    let version = requirements.lines().find_map(|line| line.strip_prefix("python-daemon==")).ok_or("no version")?;
    let mut path = OsString::from("PYTHONPATH=");
    path.push(build::python_modules()?);
    let script = sources().join("peers/python_daemon.py");
    let command = vec!["env".into(), path, "python3".into(), script.into()];
    let program = Program::new(command, beside_this("arrange")?);
    let version = format!("{version} of PyPI");
    Ok(Compared { title: "python-daemon", version, notes: PYTHON_DAEMON, program, _place: None })
}

const PYTHON_DAEMON: &[Note] = &[
    Note { ids: &["2a"], text: "It handles SIGTERM, and ignores SIGTSTP, SIGTTIN and SIGTTOU, with its `signal_map`." },
    Note { ids: &["9c", "C1"], text: "The program opens the log." },
    Note { ids: &["S2"], text: "With its `signal_map`." },
    Note { ids: &["12d", "12e", "12f"], text: "With its `TimeoutPIDLockFile`, the existence of the file is the lock." },
    Note {
        ids: &["13a", "13b"],
        text: "With `initgroups=True`. Without it, the group ids change, and the supplementary groups stay.",
    },
];

fn daemon3() -> Result<Compared, Failure> {
    let version = output(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    let program = Program::new(vec![build::daemon3()?.into()], beside_this("arrange")?);
    Ok(Compared { title: "daemon(3)", version, notes: DAEMON3, program, _place: None })
}

const DAEMON3: &[Note] = &[Note { ids: &["7"], text: "Its manual page lists this as a bug." }];

fn start_stop_daemon() -> Result<Compared, Failure> {
    let (place, program) = plain()?;
    let command = ["start-stop-daemon", "--exec"].map(OsString::from).into_iter().chain([program]).collect();
    let first = &["--start", "--background"];
    // It takes every process of that file for another instance.
    let tool = Tool { translate: tools::start_stop_daemon, first, last: Vec::new(), runs_alone: true };
    by_tool("start-stop-daemon", "dpkg", START_STOP_DAEMON, tool, command, place)
}

const START_STOP_DAEMON: &[Note] = &[
    Note { ids: &["12g", "12i", "S1"], text: "`--stop --remove-pidfile` removes it." },
    Note { ids: &["14b"], text: "Its documentation says that it exits with an error, and waits no longer." },
    Note { ids: &["C7", "C8"], text: "Only when `--notify-timeout` is over." },
    Note { ids: &["S6"], text: "With `--exec`. Another process of the same program is ended." },
];

fn daemonize() -> Result<Compared, Failure> {
    let (place, program) = plain()?;
    let tool = Tool { translate: tools::daemonize, first: &[], last: vec![program], runs_alone: false };
    by_tool("daemonize(1)", "daemonize", DAEMONIZE1, tool, vec!["daemonize".into()], place)
}

const DAEMONIZE1: &[Note] = &[Note { ids: &["7"], text: "It uses daemon(3)." }];

fn libslack_daemon() -> Result<Compared, Failure> {
    let (place, program) = plain()?;
    // The program lies below a directory in which all may write.
    let command = ["daemon", "--noconfig", "--unsafe"].map(OsString::from).to_vec();
    let tool =
        Tool { translate: tools::libslack_daemon, first: &[], last: vec!["--".into(), program], runs_alone: false };
    by_tool("daemon(1)", "daemon", LIBSLACK_DAEMON, tool, command, place)
}

const LIBSLACK_DAEMON: &[Note] = &[
    Note { ids: &["2a"], text: "It ignores SIGHUP." },
    Note {
        ids: &["8", "9a", "9b", "12a"],
        text: "It stays as the parent of `main`, reads its output, and passes signals on to it. The \
               pidfile names the parent, and a second pidfile names `main`.",
    },
    Note {
        ids: &["U1", "U2", "U3"],
        text: "With `--restart`, which ends the old daemon and starts the program again.",
    },
    Note { ids: &["C1", "C3", "C6"], text: "Once it is a daemon, its errors go to syslog or to `--errlog`." },
];

/// The program that the tools make a daemon of, where a user that they become finds it.
fn plain() -> Result<(TempDir, OsString), Failure> {
    let place = TempDir::new()?;
    fs::set_permissions(place.path(), Permissions::from_mode(0o755))?;
    let program = place.path().join("plain");
    fs::copy(beside_this("plain")?, &program)?;
    Ok((place, program.into()))
}

/// A tool of a Debian package.
fn by_tool(
    title: &'static str,
    package: &str,
    notes: &'static [Note],
    tool: Tool,
    command: Vec<OsString>,
    place: TempDir,
) -> Result<Compared, Failure> {
    let version = output(Command::new("dpkg-query").args(["--show", "--showformat", "${Version}", package]))?;
    let program = Program::by(tool, command, beside_this("arrange")?);
    Ok(Compared { title, version: format!("{package} {version} of Debian"), notes, program, _place: Some(place) })
}

/// The version of a package in a Cargo.lock.
pub(crate) fn locked_version(lock: &Path, package: &str) -> Result<String, Failure> {
    let text = fs::read_to_string(lock)?;
    let mut lines = text.lines().skip_while(|line| *line != format!("name = \"{package}\"")).skip(1);
    let version = lines.next().and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    Ok(version.ok_or_else(|| format!("no {package} in {}", lock.display()))?.to_owned())
}

fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command.output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
