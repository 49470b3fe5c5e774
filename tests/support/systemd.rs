//! The machine's own systemd, with units of a test, in namespaces of its own: nothing of the machine is changed.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::ErrorKind,
    net::TcpStream,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Instant,
};

use nix::{
    sys::{signal::Signal, wait::waitpid},
    unistd::Pid,
};

use crate::{DEADLINE, Daemon, Launch, Launcher, Process, Stage, are_installed, eventually, is_root, skip};

const BOOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../managers/systemd.sh");
const SYSTEMD: &str = "/lib/systemd/systemd";

/// The users of a system's manager and of the user's.
const ROOT: &[&str] = &["systemctl"];
const NOBODY: &[&str] = &[
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "env",
    "XDG_RUNTIME_DIR=/run/user",
    "systemctl",
    "--user",
];

/// A booted system manager. It is gone, with all that it started, when this is dropped; so that a failed test can be
/// understood, its journal is shown then.
#[derive(Debug)]
pub struct Systemd {
    script: Child,
    stage: Stage,
    /// Process 1.
    manager: Process,
    systemctl: &'static [&'static str],
}

impl Systemd {
    /// Boots it with those programs in `/usr/bin`, and units by their names. Says what the test needs where it cannot.
    ///
    /// Programs that it starts find the socket to report to, as all of a stage do. The directory of the stage is the
    /// same inside.
    ///
    /// # Panics
    ///
    /// Panics when it does not come up in time.
    #[must_use]
    pub fn boot(programs: &[&str], units: &[(&str, &str)]) -> Option<Self> {
        Self::boot_from("", programs, units)
    }

    /// The same with a systemd of that version at least: the machine's, or the one in the directory that `NEWER_SYSTEMD`
    /// names.
    ///
    /// # Panics
    ///
    /// Panics when it does not come up in time.
    #[must_use]
    pub fn boot_at_least(version: u32, programs: &[&str], units: &[(&str, &str)]) -> Option<Self> {
        let systemd = Self::boot_from(env::var_os("NEWER_SYSTEMD").unwrap_or_default(), programs, units)?;
        let is_new = systemd.version() >= version;
        if !is_new {
            skip(&format!("systemd {version}"));
        }
        is_new.then_some(systemd)
    }

    fn boot_from(newer: impl AsRef<OsStr>, programs: &[&str], units: &[(&str, &str)]) -> Option<Self> {
        if !is_root() || !are_installed(&["findmnt", "nsenter", "setpriv", "unshare"]) {
            return None;
        }
        if !Path::new(SYSTEMD).exists() {
            skip("systemd");
            return None;
        }
        let stage = Stage::new();
        stage.open_to_all(); // the users inside are others than who runs the test
        stage.create_directory("units");
        for (name, text) in units {
            fs::write(stage.path("units").join(name), text).expect("write a unit");
        }
        let socket = UnixDatagram::bind(stage.path("ready.socket")).expect("bind a socket");
        socket.set_nonblocking(true).expect("do not wait");

        let log = stage.create("log");
        let mut script = Command::new(BOOT);
        script.arg(stage.directory()).args(programs).env("NEWER_SYSTEMD", newer).stdin(Stdio::piped());
        script.stdout(log.try_clone().expect("duplicate a descriptor")).stderr(log);
        let mut script = script.spawn().expect("start the script");
        let is_up = eventually("systemd", || match said(&socket) {
            Some(states) => states.lines().any(|state| state == "READY=1").then_some(true),
            None => script.try_wait().expect("wait for the script").map(|_| false),
        });
        if !is_up {
            let needs = stage.read("needs");
            assert_ne!(needs, "", "systemd did not boot: {}", stage.read("log"));
            skip(needs.trim_end());
            return None;
        }
        let manager = Process(stage.read("manager").trim_end().parse().expect("a process id"));
        Some(Self { script, stage, manager, systemctl: ROOT })
    }

    /// The manager of an ordinary user, `nobody`, with the same units.
    #[must_use]
    pub fn of_user(mut self) -> Self {
        assert_success(&self.start("user-manager.service"));
        self.systemctl = NOBODY;
        self
    }

    /// Starts a unit, to the end of `systemctl start`.
    #[must_use]
    pub fn start(&self, unit: &str) -> Launch {
        self.systemctl(&["start", unit])
    }

    /// Starts a unit, and goes on meanwhile.
    #[must_use]
    pub fn starting(&self, unit: &str) -> Launcher {
        self.stage.start(&mut self.systemctl_command(&["start", unit]))
    }

    /// The daemon of a unit that starts in silence.
    ///
    /// # Panics
    ///
    /// Panics when it does not.
    #[must_use]
    pub fn started(&self, unit: &str) -> Daemon {
        assert_success(&self.start(unit));
        self.daemon()
    }

    /// The next daemon to report.
    #[must_use]
    pub fn daemon(&self) -> Daemon {
        self.stage.daemon()
    }

    /// Runs `systemctl` to its end.
    #[must_use]
    pub fn systemctl(&self, arguments: &[&str]) -> Launch {
        self.stage.launch(&mut self.systemctl_command(arguments))
    }

    /// The values of properties of a unit, in that order and with blanks between.
    ///
    /// # Panics
    ///
    /// Panics when there is no such property.
    #[must_use]
    pub fn show(&self, unit: &str, properties: &[&str]) -> String {
        let shown = self.systemctl(&["show", unit]).stdout;
        let value = |property| shown.lines().find_map(|line| line.strip_prefix(property)?.strip_prefix('='));
        let values =
            properties.iter().map(|property| value(*property).unwrap_or_else(|| panic!("no {property}: {shown}")));
        values.collect::<Vec<_>>().join(" ")
    }

    /// A service's active state, substate, result and main process, as in `active running success 42`.
    #[must_use]
    pub fn state(&self, unit: &str) -> String {
        self.show(unit, &["ActiveState", "SubState", "Result", "MainPID"])
    }

    /// Waits for a state of a service.
    ///
    /// # Panics
    ///
    /// Panics when it does not come.
    pub fn reaches(&self, unit: &str, state: &str) {
        let mut seen = String::new();
        let end = Instant::now() + DEADLINE;
        while seen != state && Instant::now() < end {
            seen = self.state(unit);
        }
        assert_eq!(seen, state, "{unit}");
    }

    /// Waits until all that a program wrote to the journal is that.
    pub fn said(&self, program: &str, text: &str) {
        let journal = || self.journal(&["--identifier", program, "--output", "cat"]);
        eventually(text, || (journal() == text).then_some(()));
    }

    /// As in `systemd 254 (254.26-1~bpo12+1)`.
    fn version(&self) -> u32 {
        let said = self.systemctl(&["--version"]).stdout;
        said.split(' ').nth(1).and_then(|version| version.parse().ok()).expect("a version")
    }

    fn journal(&self, arguments: &[&str]) -> String {
        let output = self.inside(&["journalctl", "--quiet"]).args(arguments).output().expect("read the journal");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Where a path inside is found from here.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        format!("/proc/{}/root{path}", self.manager.0).into()
    }

    /// A connection on its loopback interface.
    ///
    /// # Panics
    ///
    /// Panics when there is none.
    #[must_use]
    pub fn connect(&self, port: u16) -> TcpStream {
        self.manager.connect(port).expect("connect")
    }

    fn systemctl_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.inside(self.systemctl);
        command.args(arguments);
        command
    }

    fn inside(&self, program: &[&str]) -> Command {
        let mut command = self.stage.command("nsenter");
        command.args(["--all", "--target", &self.manager.0.to_string(), "--"]).args(program);
        command
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the journal:\n{}", self.journal(&[]));
        }
        end_orphans(self.manager);
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}

/// When a test fails, its `nsenter` is killed, and whom that started inside becomes a child of this process, as the
/// nearest subreaper. Namespaces last until everybody in them is reaped.
fn end_orphans(manager: Process) {
    let own = Process::own().0.to_string();
    let namespace = |Process(id)| fs::read_link(format!("/proc/{id}/ns/pid")).ok();
    let Some(its) = namespace(manager) else { return };
    let processes = fs::read_dir("/proc").into_iter().flatten();
    let processes = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok().map(Process));
    let is_orphan =
        |process: &Process| process.stat(4).as_ref() == Some(&own) && namespace(*process).as_ref() == Some(&its);
    for orphan in processes.filter(is_orphan) {
        orphan.signal(Signal::SIGKILL);
        let _ = waitpid(Pid::from_raw(orphan.0), None);
    }
}

fn assert_success(launch: &Launch) {
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
}

fn said(socket: &UnixDatagram) -> Option<String> {
    let mut buffer = [0; 4096];
    match socket.recv(&mut buffer) {
        Ok(length) => Some(String::from_utf8_lossy(&buffer[..length]).into_owned()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}
