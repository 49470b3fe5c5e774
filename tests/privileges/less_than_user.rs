//! Root that may do less than the user: without the capabilities that root usually has, or on a file system that admits
//! only the user.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::Path,
    process::{Child, Command},
};

use nix::{sys::signal::Signal, unistd::User};
use support::{Process, Stage, are_installed, eventually, is_root, needs_root, needs_tools, skip};

use crate::PROBE;

fn nobody() -> (u32, u32) {
    let entry = User::from_name("nobody").expect("a database").expect("nobody");
    (entry.uid.as_raw(), entry.gid.as_raw())
}

fn owner(path: &Path) -> (u32, u32, u32) {
    let metadata = path.metadata().expect("the file");
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o777)
}

/// A stage with a directory of the user's, which nobody else may enter.
fn stage() -> Stage {
    let stage = Stage::new();
    stage.open_to_all();
    stage.create_directory("of-user");
    let path = stage.path("of-user");
    chown(&path, Some(nobody().0), Some(nobody().1)).expect("give it away");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("a mode");
    stage
}

/// As in a container that keeps `CAP_SETUID` and `CAP_SETGID`, and no more.
fn without_capabilities(stage: &Stage) -> Command {
    let mut command = stage.command("setpriv");
    command.args(["--bounding-set", "-chown,-dac_override,-dac_read_search,-fowner", PROBE, "--user", "nobody"]);
    command
}

#[test]
fn without_capabilities_it_works_in_the_users_directory() {
    needs_root!();
    needs_tools!("setpriv");
    let (uid, gid) = nobody();
    let stage = stage();
    let options =
        ["--stdout", "of-user/log", "--stderr", "truncate:of-user/err", "--chdir", "of-user", "--reopen-logs"];
    let mut daemon = stage.started(without_capabilities(&stage).args(options));
    assert_eq!(daemon.sight.get("directory"), stage.path("of-user").to_string_lossy());
    daemon.ask("stdout hello");
    assert_eq!(stage.read("of-user/log"), "hello\n");
    assert_eq!(owner(&stage.path("of-user/log")), (uid, gid, 0o640));
    assert_eq!(owner(&stage.path("of-user/err")), (uid, gid, 0o640));
}

/// The path belongs to root, so the launcher opens what is there; but only the user may.
#[test]
fn without_capabilities_the_user_opens_the_users_log() {
    needs_root!();
    needs_tools!("setpriv");
    let (uid, gid) = nobody();
    let Some(directory) = OfRoot::new("without-capabilities") else { return };
    let stage = stage();
    let log = directory.0.join("log");
    fs::write(&log, "old\n").expect("write");
    chown(&log, Some(uid), Some(gid)).expect("give it away");
    fs::set_permissions(&log, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    let mut daemon = stage.started(without_capabilities(&stage).arg("--stdout").arg(&log));
    daemon.ask("stdout new");
    assert_eq!(fs::read_to_string(&log).expect("the log"), "old\nnew\n");

    let new = directory.0.join("new");
    let launch = stage.launch(without_capabilities(&stage).arg("--stdout").arg(&new));
    let line = format!("cannot give stdout {} to user nobody: Operation not permitted (os error 1)", new.display());
    assert_eq!((launch.status, launch.stderr), (1, format!("probe: {line}\n")));
    assert!(!new.exists());
    let launch = stage.launch(without_capabilities(&stage).arg("--stdout").arg(stage.path("of-user/no/log")));
    assert_eq!(launch.status, 1);
    assert!(launch.stderr.contains("of-user/no/log as user nobody: there is no directory"), "{launch:?}");
}

/// A directory each step of whose path is root's.
struct OfRoot(std::path::PathBuf);

impl OfRoot {
    fn new(name: &str) -> Option<Self> {
        let path = Path::new("/var/lib").join(format!("daemon-test-{name}-{}", std::process::id()));
        if fs::create_dir(&path).is_err() {
            skip("a writable /var/lib");
            return None;
        }
        Some(Self(path))
    }
}

impl Drop for OfRoot {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// FUSE without `allow_other` and `allow_root`: a process is admitted only if all its ids are the user's.
struct Mounted(Child);

impl Mounted {
    /// `of-user` of the stage under the name of `mnt`, in a mount namespace of its own.
    fn new(stage: &Stage) -> Option<Self> {
        if !is_root() || !are_installed(&["setpriv", "unshare", "nsenter", "bindfs"]) {
            return None;
        }
        if !Path::new("/dev/fuse").exists() {
            skip("/dev/fuse");
            return None;
        }
        let mut command = stage.command("unshare");
        command.args(["--mount", "--propagation", "private"]);
        Self::serve(stage, command, "of-user", "mnt")
    }

    /// The file system once more under another name. Its server waits for the first one's.
    fn again(&self, stage: &Stage, name: &str) -> Option<Self> {
        Self::serve(stage, self.command(stage), "mnt", name)
    }

    fn serve(stage: &Stage, mut command: Command, from: &str, name: &str) -> Option<Self> {
        stage.create_directory(name);
        let (uid, gid) = nobody();
        command.args(["setpriv".into(), format!("--reuid={uid}"), format!("--regid={gid}")]);
        let capable = "+sys_admin,+dac_override"; // to open the device, and to mount without fusermount3(1)
        command.args(["--clear-groups", "--inh-caps", capable, "--ambient-caps", capable]);
        command.args(["bindfs", "--no-allow-other", "-f"]).args([stage.path(from), stage.path(name)]);
        let mut server = Self(command.spawn().expect("start bindfs"));
        let mounts = format!("/proc/{}/mounts", server.0.id());
        let mount = format!("{} fuse ", stage.path(name).display());
        let is_mounted = eventually("the file system", || {
            let is_there = fs::read_to_string(&mounts).unwrap_or_default().contains(&mount);
            let has_ended = server.0.try_wait().expect("wait").is_some();
            (is_there || has_ended).then_some(is_there)
        });
        if !is_mounted {
            skip("leave to mount FUSE");
            return None;
        }
        Some(server)
    }

    /// Where it is mounted.
    fn command(&self, stage: &Stage) -> Command {
        let mut command = stage.command("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.0.id()));
        command.arg(format!("--wdns={}", stage.directory().display()));
        command
    }

    fn probe(&self, stage: &Stage) -> Command {
        let mut command = self.command(stage);
        command.args([PROBE, "--user", "nobody"]);
        command
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn on_fuse_the_user_opens_and_enters() {
    let stage = stage();
    let Some(mounted) = Mounted::new(&stage) else { return };
    let (uid, gid) = nobody();
    fs::write(stage.path("of-user/err"), "old\n").expect("write");
    chown(stage.path("of-user/err"), Some(uid), Some(gid)).expect("give it away");
    fs::write(stage.path("of-user/in"), "read\n").expect("write");
    let options = ["--stdin", "mnt/in", "--stdout", "mnt/log", "--stderr", "truncate:mnt/err", "--chdir", "mnt"];
    for way in [[].as_slice(), &["--notify"]] {
        let launcher = stage.start(mounted.probe(&stage).args(options).args(way));
        let mut daemon = stage.daemon();
        daemon.ask("stdout hello");
        daemon.ask("stderr world");
        if way.contains(&"--notify") {
            daemon.ask("ready");
        }
        assert_eq!(launcher.end().status, 0);
        assert_eq!(daemon.sight.get("directory"), stage.path("mnt").to_string_lossy());
        assert_eq!((stage.read("of-user/log"), stage.read("of-user/err")), ("hello\n".into(), "world\n".into()));
        assert_eq!(owner(&stage.path("of-user/log")), (uid, gid, 0o640));
        fs::remove_file(stage.path("of-user/log")).expect("remove");
    }
}

/// The user serves the file system, and may keep its callers waiting.
#[test]
fn on_fuse_a_server_that_does_not_answer_holds_nobody_up_for_ever() {
    let stage = stage();
    let Some(mounted) = Mounted::new(&stage) else { return };
    let server = Process(i32::try_from(mounted.0.id()).expect("an id"));
    server.signal(Signal::SIGSTOP);
    let launch = stage.launch(mounted.probe(&stage).args(["--stdout", "mnt/log"]));
    let line = format!("cannot open stdout {} as user nobody", stage.path("mnt/log").display());
    let why = format!("no permission to search the directory {}", stage.path("mnt").display());
    assert_eq!(launch.stderr, format!("probe: {line}: {why}\n"));
    assert!(stage.no_daemon_reported());
}

/// When a server has read a request, the caller has to wait for the answer, and even SIGKILL does not end that.
#[test]
fn on_fuse_a_server_that_has_the_request_and_does_not_answer_holds_up_no_reader_of_the_launcher() {
    let stage = stage();
    let Some(mounted) = Mounted::new(&stage) else { return };
    let Some(_again) = mounted.again(&stage, "again") else { return };
    Process(i32::try_from(mounted.0.id()).expect("an id")).signal(Signal::SIGSTOP);
    let launch = stage.launch(mounted.probe(&stage).args(["--stdout", "again/log"]));
    let line = format!("cannot open stdout {} as user nobody", stage.path("again/log").display());
    let why = format!("no permission to search the directory {}", stage.path("again").display());
    assert_eq!(launch.stderr, format!("probe: {line}: {why}\n"));
    assert!(stage.no_daemon_reported());
}

#[test]
fn on_fuse_a_failed_start_leaves_nothing() {
    let stage = stage();
    let Some(mounted) = Mounted::new(&stage) else { return };
    let launch = stage.launch(mounted.probe(&stage).args(["--stdout", "mnt/log", "--chdir", "mnt/none"]));
    let line = format!("cannot change directory to {} as user nobody", stage.path("mnt/none").display());
    assert_eq!(launch.stderr, format!("probe: {line}: No such file or directory (os error 2)\n"));
    let launch = stage.launch(mounted.probe(&stage).args(["--stdout", "mnt/log", "--stderr", "mnt/none/err"]));
    let line = format!("cannot open stderr {} as user nobody", stage.path("mnt/none/err").display());
    assert_eq!(launch.stderr, format!("probe: {line}: there is no directory {}\n", stage.path("mnt/none").display()));
    // If a file is removed while it is open, the server keeps it by another name until it hears that it was closed.
    let is_empty = || fs::read_dir(stage.path("of-user")).expect("the directory").next().is_none();
    eventually("an empty directory", || is_empty().then_some(()));
}
