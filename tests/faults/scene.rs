//! The starts that are tried.

use std::{
    fs::{self, File, Permissions},
    io::Read,
    os::unix::{
        fs::{OpenOptionsExt, PermissionsExt},
        net::UnixDatagram,
    },
    path::Path,
    process::Command,
};

use nix::{
    libc,
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    sys::stat::Mode,
    unistd::{User, chown, mkfifo},
};
use support::Stage;

use crate::{INJECT, MARKED};

/// In group(5), where it may stand since the scene's last place.
const OWN_GROUP: &str = "staffed:x:7777:nobody\n";

/// A daemon that is supervised keeps root for the next one.
pub(crate) const DAEMON_OF_NOBODY: &[&str] =
    &["--notify", "--ready", "--pidfile", "pid", "--stdout", "log", "--user", "nobody"];

/// A way to start the probe.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) options: &'static [&'static str],
    /// Behind them.
    pub(crate) more: &'static [&'static str],
    /// Whether `nobody` is in a group besides his own.
    pub(crate) has_groups: bool,
    /// Whether a service manager waits for word.
    pub(crate) has_manager: bool,
    /// Whether the directory of the log is that user's.
    pub(crate) is_nobodys: bool,
}

impl Scene {
    pub(crate) const fn new(name: &'static str, options: &'static [&'static str]) -> Self {
        Self { name, options, more: &[], has_groups: false, has_manager: false, is_nobodys: false }
    }
}

/// Where one of them is tried, one time after the other.
pub(crate) struct Place {
    pub(crate) stage: Stage,
    manager: Option<UnixDatagram>,
    /// The pipe that the probe has as descriptor 8, for `--ready-fd`.
    supervisor: File,
    has_databases: bool,
}

impl Scene {
    pub(crate) fn is_in_foreground(&self) -> bool {
        self.has("--foreground")
    }

    pub(crate) fn has(&self, option: &str) -> bool {
        self.options.contains(&option) || self.more.contains(&option)
    }

    /// Others than root may enter it. Of the scene's own groups the calling thread knows, and those whom it starts.
    pub(crate) fn place(&self) -> Place {
        let stage = Stage::new();
        set_mode(&stage, "", 0o755);
        set_mode(&stage, "probe.socket", 0o666);
        for directory in ["data", "jail"] {
            stage.create_directory(directory);
        }
        for file in ["data/handed-on", "data/input"] {
            fs::write(stage.path(file), "").expect("write");
        }
        if self.has_groups {
            let groups = fs::read_to_string("/etc/group").expect("the groups").replace(OWN_GROUP, "") + OWN_GROUP;
            fs::write(stage.path("data/group"), groups).expect("write");
            fs::write(stage.path("data/nsswitch.conf"), "passwd: files\ngroup: files\n").expect("write");
            mount_databases(&stage).expect("mount");
        }
        if self.is_nobodys {
            let nobody = User::from_name("nobody").expect("a database").expect("nobody");
            chown(stage.directory(), Some(nobody.uid), Some(nobody.gid)).expect("give it away");
        }
        let manager = self.has_manager.then(|| UnixDatagram::bind(stage.path("data/manager")).expect("bind"));
        mkfifo(&stage.path("data/supervisor"), Mode::S_IRWXU).expect("make a pipe");
        let mut pipe = File::options();
        pipe.read(true).custom_flags(libc::O_NONBLOCK); // look once, and be its reader while nobody writes
        let supervisor = pipe.open(stage.path("data/supervisor")).expect("open a pipe");
        Place { stage, manager, supervisor, has_databases: self.has_groups }
    }

    /// In the order in which they start each other.
    pub(crate) fn processes(&self) -> &'static [&'static str] {
        let processes = &["client", "launcher", "leader", "daemon"];
        if self.has("--spawn") { processes } else { &processes[1..] }
    }

    /// With a descriptor that is handed on, a signal that is ignored, and all of them blocked.
    pub(crate) fn command(&self, place: &Place, options: &[String]) -> Command {
        let stage = &place.stage;
        let mut command = stage.command(INJECT);
        if self.has_manager {
            command.env("NOTIFY_SOCKET", stage.path("data/manager"));
        }
        command.args(options);
        if self.has("--spawn") {
            command.arg("--client");
        }
        command.args(["--hand-on", "8=data/supervisor", "--hand-on", "9=data/handed-on", "--"]);
        command.arg(MARKED).args(self.options).args(self.more);
        command
    }
}

impl Place {
    /// Forgets those who came here and were ended.
    pub(crate) fn forget(&self) {
        self.heard();
        while !self.stage.no_daemon_reported() {
            self.stage.refuse_daemon();
        }
    }

    /// What the manager, or the supervisor, has heard by now.
    pub(crate) fn heard(&self) -> String {
        let mut heard = String::new();
        let _ = (&self.supervisor).read_to_string(&mut heard); // until it would block, or nobody has it open to write
        let Some(manager) = &self.manager else { return heard };
        manager.set_nonblocking(true).expect("look once");
        let mut text = [0; 4096];
        while let Ok(length) = manager.recv(&mut text) {
            heard += &String::from_utf8_lossy(&text[..length]);
            heard += "\n";
        }
        heard
    }
}

/// What is mounted on could not be removed.
impl Drop for Place {
    fn drop(&mut self) {
        if self.has_databases {
            for name in DATABASES {
                let _ = umount2(&Path::new("/etc").join(name), MntFlags::MNT_DETACH);
            }
        }
    }
}

const DATABASES: [&str; 2] = ["group", "nsswitch.conf"];

/// In a mount namespace of this thread's own. Its nsswitch.conf(5) names files alone: what other services call is
/// theirs.
fn mount_databases(stage: &Stage) -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount_at(None, Path::new("/"), MsFlags::MS_PRIVATE | MsFlags::MS_REC)?;
    DATABASES.into_iter().try_for_each(|name| {
        mount_at(Some(&stage.path("data").join(name)), &Path::new("/etc").join(name), MsFlags::MS_BIND)
    })
}

fn mount_at(source: Option<&Path>, target: &Path, flags: MsFlags) -> nix::Result<()> {
    mount(source, target, None::<&str>, flags, None::<&str>)
}

fn set_mode(stage: &Stage, name: &str, mode: u32) {
    fs::set_permissions(stage.path(name), Permissions::from_mode(mode)).expect("a mode");
}
