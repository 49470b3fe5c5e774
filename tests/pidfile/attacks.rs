//! What a mistyped path, a bystander, or a daemon in the hands of somebody else can do by a pidfile.

use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use daemon_rt::{PidFile, Status};
use nix::{
    fcntl::{FcntlArg, Flock, FlockArg, fcntl},
    libc,
    sys::signal::Signal,
};
use support::{Daemon, Process, Stage, eventually, needs_root, needs_tools, skip};

use super::{probe, started};
use crate::{DAEMONIZE, PROBE, preload};

/// A daemon that gave up root, in a directory of root's.
fn started_as_nobody(stage: &Stage) -> Daemon {
    stage.open_to_all();
    stage.started(probe(stage).args(["--user", "nobody", "--connect"]))
}

fn write(path: &Path, text: impl AsRef<[u8]>, mode: u32) {
    fs::write(path, text).and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode))).expect("write");
}

fn locked(path: &Path) -> Flock<File> {
    Flock::lock(File::open(path).expect("open"), FlockArg::LockExclusiveNonblock).expect("a lock")
}

/// A caller that may not look at processes of other users.
fn without_ptrace(stage: &Stage) -> Command {
    let mut command = stage.command("setpriv");
    command.args(["--bounding-set", "-sys_ptrace", "--", PROBE]);
    command
}

struct Bystander(Child);

impl Bystander {
    fn new(stage: &Stage) -> Self {
        Self(stage.command("sleep").arg("1000").spawn().expect("start"))
    }

    fn is_unharmed(&mut self) -> bool {
        self.0.try_wait().expect("wait").is_none()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn a_file_that_is_no_pidfile_keeps_every_byte() {
    let stage = Stage::new();
    let path = stage.path("pid");
    let texts: [&[u8]; 6] =
        [b"[server]\nport = 80\n", b"12 13\n", b"4242 clockd\n", b"-1\n", b"\0\0", &vec![b'7'; 1 << 20]];
    for text in texts {
        for mode in [0o600, 0o644, 0o666] {
            write(&path, text, mode);
            let inode = path.metadata().expect("the file").ino();
            stage.refuses(&mut probe(&stage), "probe: cannot lock {}/pid: it holds something other than a process id");
            let found = path.metadata().expect("the file");
            assert_eq!((found.ino(), found.mode() & 0o777), (inode, mode));
            assert_eq!(fs::read(&path).expect("read"), text);
        }
    }
}

/// An attacker who makes it do something else cannot change a byte of the file, and so cannot make root signal another
/// process.
#[test]
fn a_daemon_that_gave_up_root_cannot_put_another_number_into_its_pidfile() {
    needs_root!();
    let stage = Stage::new();
    let mut daemon = started_as_nobody(&stage);
    let path = stage.path("pid");
    assert!(daemon.sight.descriptors().values().any(|target| Path::new(target) == path), "it holds it open");
    assert_eq!(daemon.ask(&format!("forge {}", path.display())), "");
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
}

#[test]
fn in_the_foreground_neither() {
    needs_root!();
    let stage = Stage::new();
    stage.open_to_all();
    let mut child = probe(&stage).args(["--user", "nobody", "--connect", "--foreground"]).spawn().expect("start");
    let mut daemon = stage.daemon();
    let path = stage.path("pid");
    assert!(daemon.sight.descriptors().values().any(|target| Path::new(target) == path), "it holds it open");
    assert_eq!(daemon.ask(&format!("forge {}", path.display())), "");
    assert_eq!(stage.read("pid"), format!("{}\n", child.id()));
    daemon.send("exit 0");
    child.wait().expect("wait");
}

#[test]
fn a_bystander_can_lock_it_neither_while_the_daemon_runs_nor_afterwards() {
    needs_root!();
    needs_tools!("setpriv", "flock");
    let stage = Stage::new();
    let flock = || {
        let mut command = stage.command("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "flock", "--nonblock", "pid", "true"]);
        stage.launch(&mut command)
    };
    let mut daemon = started_as_nobody(&stage);
    assert!(flock().stderr.ends_with("pid: Permission denied\n"), "{:?}", flock());
    daemon.send("return");
    daemon.wait();
    // It may not remove the file, and not empty it any more.
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
    assert_eq!(PidFile::new(stage.path("pid")).status().expect("a status"), Status::Stale);
    assert!(flock().stderr.ends_with("pid: Permission denied\n"), "{:?}", flock());
    started_as_nobody(&stage);
}

/// A program that used another crate before, and its pidfile with that. The other crate never removes it.
#[test]
fn what_the_crate_daemonize_left_is_replaced() {
    needs_root!();
    let stage = Stage::new();
    let path = stage.path("pid");
    assert_eq!(stage.launch(stage.command(DAEMONIZE).args(["root", "root", "pid"])).status, 0);
    let theirs = eventually("the other daemon", || match stage.processes()[..] {
        [daemon] if stage.read("pid") == format!("{}\n", daemon.0) => Some(daemon),
        _ => None,
    });
    let old = File::open(&path).expect("open"); // so that no other file gets its inode
    let found = old.metadata().expect("the file");
    assert_eq!(found.mode() & 0o777, 0o666);
    let why = "another process holds it, and others may write to it, mode 0666";
    let line = format!("probe: cannot lock {}: {why}\n", path.display());
    let launch = stage.launch(&mut probe(&stage));
    assert_eq!((launch.status, launch.stderr), (1, line));
    assert!(theirs.is_alive());
    assert_eq!(stage.read("pid"), format!("{}\n", theirs.0));

    theirs.signal(Signal::SIGTERM);
    theirs.wait();
    let daemon = started(&stage);
    let replaced = path.metadata().expect("the file");
    assert_eq!((replaced.mode() & 0o777, stage.read("pid")), (0o600, format!("{}\n", daemon.process.0)));
    assert_ne!(replaced.ino(), found.ino());
    assert!(matches!(PidFile::new(&path).status(), Ok(Status::Running { .. })));
}

/// An older program left it like this. Somebody may have opened it while that was possible.
#[test]
fn a_loose_file_is_replaced_and_whoever_has_it_open_has_nothing() {
    for mode in [0o644, 0o666, 0o660, 0o604] {
        let stage = Stage::new();
        let path = stage.path("pid");
        write(&path, "4000000\n", mode);
        let mut opened = File::options().read(true).append(true).open(&path).expect("open");
        let old = path.metadata().expect("the file").ino();
        let daemon = started(&stage);
        let found = path.metadata().expect("the file");
        assert_ne!(found.ino(), old, "{mode:o}");
        assert_eq!(found.mode() & 0o777, 0o600, "{mode:o}");
        opened.write_all(b"1\n").expect("write");
        let _lock = Flock::lock(opened, FlockArg::LockExclusiveNonblock).expect("a lock of nothing");
        assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
        let running =
            format!("probe: cannot lock {}: already running as process {}\n", path.display(), daemon.process.0);
        assert_eq!(stage.launch(&mut probe(&stage)).stderr, running);
    }
}

/// Anybody who could open the old file can lock it, or another start may be about to replace it: neither is a reason to
/// give up.
#[test]
fn a_loose_file_that_somebody_has_locked_is_waited_for() {
    for mode in [0o644, 0o666] {
        let stage = Stage::new();
        let path = stage.path("pid");
        write(&path, "4000000\n", mode);
        let held = locked(&path);
        let launcher = stage.start(&mut probe(&stage));
        thread::sleep(Duration::from_millis(300)); // of the 2 s that it waits
        drop(held);
        let launch = launcher.end();
        assert_eq!((launch.status, launch.stderr.as_str()), (0, ""), "{mode:o}");
        assert_eq!(path.metadata().expect("the file").mode() & 0o777, 0o600, "{mode:o}");
        drop(stage.daemon());
    }
}

/// It cannot be replaced if its directory belongs to somebody else, who created the file for this user.
#[test]
fn a_loose_file_that_cannot_be_replaced_is_closed_to_others() {
    needs_root!();
    for (mode, why) in [(0o644, None), (0o666, Some("others may write to it, mode 0666"))] {
        let stage = Stage::new();
        stage.open_to_all();
        let (path, probe) = (stage.path("pid"), stage.copy(PROBE));
        write(&path, "4000000\n", mode);
        std::os::unix::fs::chown(&path, Some(65534), Some(65534)).expect("give it away");
        let mut command = stage.command("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]).arg(probe);
        let launch = stage.launch(command.args(["--pidfile", "pid"]));
        if let Some(why) = why {
            let line = format!("probe: cannot lock {}: {why}\n", path.display());
            assert_eq!((launch.status, launch.stderr), (1, line));
            continue;
        }
        assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
        let mut daemon = stage.daemon();
        assert_eq!(path.metadata().expect("the file").mode() & 0o777, 0o600);
        daemon.send("return");
        daemon.wait();
        assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
    }
}

/// If anybody may hold the lock, it says nothing about the process that the file names.
#[test]
fn nobody_is_signalled_who_is_not_known_to_hold_it() {
    needs_root!();
    needs_tools!("setpriv");
    let stage = Stage::new();
    let path = stage.path("pid");
    let mut bystander = Bystander::new(&stage);
    let id = bystander.0.id();
    for mode in [0o600, 0o644] {
        write(&path, format!("{id}\n"), mode);
        let _held = locked(&path);
        let launch = stage.launch(without_ptrace(&stage).args(["--stop", "pid"]));
        let line = format!("cannot tell who holds pid: process {id}, which it names, cannot be seen to hold it open");
        assert_eq!((launch.status, launch.stderr), (1, format!("probe: {line}\n")));
        let launch = stage.launch(without_ptrace(&stage).args(["--pidfile", "pid"]));
        let line = format!("cannot lock {}: it is held by a process that it does not name", path.display());
        assert_eq!((launch.status, launch.stderr), (1, format!("probe: {line}\n")));
        fs::remove_file(&path).expect("remove");
    }
    assert!(bystander.is_unharmed());
}

/// The kernel shows a record lock with that number. But the number belongs to a process that no longer has anything to
/// do with the file: here it has executed another program, and later it may be another user's process.
#[test]
fn a_record_lock_that_outlives_its_process_names_nobody() {
    needs_root!();
    let stage = Stage::new();
    let mut daemon = started_as_nobody(&stage);
    let worker = Process(daemon.ask("share-descriptors").parse().expect("a process"));
    daemon.send("exec");
    eventually("another program", || (daemon.process.name() == "sleep").then_some(()));
    let path = stage.path("pid");
    let (locked, id) = (record_lock(&path), daemon.process.0);
    let launch = stage.launch(stage.command(PROBE).args(["--stop", "pid"]));
    let is_unharmed = daemon.process.is_alive();
    worker.signal(Signal::SIGKILL);
    assert_eq!(locked, Some(id), "it is the attack");
    let line = format!("probe: cannot tell who holds pid: process {id}, which it names, does not hold it open\n");
    assert_eq!((launch.status, launch.stderr), (1, line));
    assert!(is_unharmed);
}

/// Who has one, fcntl(2).
fn record_lock(path: &Path) -> Option<i32> {
    let file = File::open(path).expect("open");
    let l_type = libc::F_WRLCK.try_into().expect("a type");
    let mut lock = libc::flock { l_type, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 }; // the whole file
    fcntl(&file, FcntlArg::F_GETLK(&mut lock)).expect("an answer");
    (i32::from(lock.l_type) != libc::F_UNLCK).then_some(lock.l_pid)
}

/// If root may not look, the record lock counts, unless the process was started after the number was written. In that
/// case it got the number, and with it the lock of a worker, after the daemon had ended.
#[test]
fn a_record_lock_does_not_make_a_later_process_the_daemon() {
    needs_root!();
    needs_tools!("setpriv");
    let stage = Stage::new();
    let daemon = started_as_nobody(&stage);
    let file = File::options().write(true).open(stage.path("pid")).expect("open");
    let written = file.metadata().and_then(|metadata| metadata.modified()).expect("a time");
    file.set_modified(written - Duration::from_secs(10)).expect("a time before it began");
    let launch = stage.launch(without_ptrace(&stage).args(["--stop", "pid"]));
    let who = format!("process {}, which it names, cannot be seen to hold it open", daemon.process.0);
    assert_eq!((launch.status, launch.stderr), (1, format!("probe: cannot tell who holds pid: {who}\n")));
    assert!(daemon.process.is_alive());
}

/// As in most containers, where root lacks that capability.
#[test]
fn root_that_may_not_look_at_its_daemon_stops_it() {
    needs_root!();
    needs_tools!("setpriv");
    let stage = Stage::new();
    let daemon = started_as_nobody(&stage);
    let launch = stage.launch(without_ptrace(&stage).args(["--stop", "pid"]));
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (0, "Terminated\n", ""));
    assert!(!daemon.process.is_alive());
    assert_eq!(stage.files(), [""; 0]);
}

#[test]
fn a_number_without_its_newline_is_half_written() {
    let stage = Stage::of_the_process();
    let path = stage.path("pid");
    let mut bystander = Bystander::new(&stage);
    let pidfile = PidFile::new(&path);
    write(&path, bystander.0.id().to_string(), 0o600);
    assert_eq!(pidfile.status().expect("a status"), Status::Stale);
    {
        let _held = locked(&path);
        assert_eq!(pidfile.status().expect("a status"), Status::Starting);
        let error = pidfile.stop(Duration::from_secs(1)).expect_err("nobody is named");
        let line = format!("cannot tell who holds {}: it names no process yet", path.display());
        assert_eq!(format!("{error:#}"), line);
        let why = "already starting; the process has not written its id yet";
        let line = format!("probe: cannot lock {}: {why}\n", path.display());
        assert_eq!(stage.launch(&mut probe(&stage)).stderr, line);
        assert!(bystander.is_unharmed());
        // A program that writes no newline is known by what it holds.
        write(&path, std::process::id().to_string(), 0o600);
        assert!(matches!(pidfile.status(), Ok(Status::Running { pid, .. }) if pid == std::process::id()));
    }
    started(&stage);
}

/// On this file system, the file at the path never seems to be the one that was opened.
#[test]
fn a_file_system_whose_inode_numbers_change_keeps_nobody_for_ever() {
    let Some(library) = preload::library("INODES_CHANGE") else { return };
    let stage = Stage::new();
    let start = Instant::now();
    let launch = stage.launch(probe(&stage).env("LD_PRELOAD", &library));
    let line = format!("probe: cannot lock {}: it keeps being replaced\n", stage.path("pid").display());
    assert_eq!((launch.status, launch.stderr), (1, line));
    let launch = stage.launch(stage.command(PROBE).args(["--stop", "pid"]).env("LD_PRELOAD", &library));
    assert_eq!((launch.status, launch.stderr.as_str()), (1, "probe: cannot open pid: it keeps being replaced\n"));
    assert!(start.elapsed() < Duration::from_secs(20));
}

/// It may be on a network file system, or on the daemon's own FUSE. Looking at the pidfile does not need its answer.
#[test]
fn a_descriptor_that_does_not_answer_keeps_nobody_from_stopping_the_daemon() {
    let Some(library) = preload::library("STAT_WAITS") else { return };
    let stage = Stage::new();
    let daemon = started(&stage);
    let launch = stage.launch(stage.command(PROBE).args(["--stop", "pid"]).env("LD_PRELOAD", &library));
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (0, "Terminated\n", ""));
    assert!(!daemon.process.is_alive());
}

/// The daemon has closed its pidfile, which a worker still holds. So all of the daemon's descriptors are looked at, and
/// one of them is on a file system whose server has stopped.
#[test]
fn a_file_system_that_does_not_answer_keeps_nobody_from_asking_for_the_daemon() {
    needs_root!();
    needs_tools!("bindfs", "nsenter", "unshare");
    if !Path::new("/dev/fuse").exists() {
        return skip("/dev/fuse");
    }
    let stage = Stage::new();
    stage.create_directory("served");
    stage.create_directory("mnt");
    let mut bindfs = stage.command("unshare");
    bindfs.args(["--mount", "--propagation", "private", "bindfs", "-f", "-o", "attr_timeout=0"]);
    let server = Bystander(bindfs.args([stage.path("served"), stage.path("mnt")]).spawn().expect("start bindfs"));
    let id = i32::try_from(server.0.id()).expect("a process");
    eventually("the file system", || {
        fs::read_to_string(format!("/proc/{id}/mounts")).ok()?.contains(" fuse").then_some(())
    });
    let mut command = stage.command("nsenter");
    command.args([format!("--mount=/proc/{id}/ns/mnt"), format!("--wdns={}", stage.directory().display())]);
    let mut daemon = stage.started(command.args([PROBE, "--pidfile", "pid"]));
    daemon.ask("fork");
    assert_eq!(daemon.ask(&format!("open {}", stage.path("mnt/file").display())), "");
    let pidfile = stage.path("pid").display().to_string();
    let own = daemon.look().descriptors().into_iter().find(|(_, target)| **target == pidfile).map(|own| own.0);
    assert_eq!(daemon.ask(&format!("close {}", own.expect("a descriptor"))), "");
    Process(id).signal(Signal::SIGSTOP);
    let launch = stage.launch(stage.command(PROBE).args(["--stop", "pid"]));
    let who = format!("process {}, which it names, does not hold it open", daemon.process.0);
    assert_eq!((launch.status, launch.stderr), (1, format!("probe: cannot tell who holds pid: {who}\n")));
}

#[test]
fn a_worker_of_the_same_number_does_not_remove_it() {
    needs_root!();
    needs_tools!("unshare");
    let stage = Stage::new();
    let mut command = stage.command("unshare");
    let mut child =
        command.args(["--fork", "--pid", "--mount-proc", PROBE, "--pidfile", "pid"]).spawn().expect("start");
    let mut daemon = stage.daemon();
    assert_eq!(stage.read("pid"), "1\n");
    assert_eq!(daemon.ask("fork-as-process-1-and-exit"), "");
    assert_eq!(stage.read("pid"), "1\n");
    daemon.send("return");
    child.wait().expect("wait");
    assert_eq!(stage.files(), [""; 0]);
}
