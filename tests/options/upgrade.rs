//! A new version of the program takes over from the running daemon, which serves until then.

mod asking;
mod failures;
mod hostile;
mod kills;
mod limits;
mod load;
mod meanwhile;
mod other_starts;
mod protocol;
mod sockets;
mod stop;

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        net::UnixDatagram,
    },
    path::PathBuf,
    process::Command,
    thread,
};

use daemon_rt::{PidFile, Status};
use nix::sys::signal::Signal;
use support::{DEADLINE, Daemon, Process, Sight, Stage, eventually, is_root, needs_root};

use super::respawn::{content, supervisor};
use crate::PROBE;

/// A service that can be upgraded, launched by the path of a copy of the probe.
struct Service {
    stage: Stage,
    program: PathBuf,
}

impl Service {
    fn new() -> Self {
        let stage = Stage::new();
        stage.open_to_all();
        let program = stage.copy(PROBE);
        Self { stage, program }
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut command = self.stage.command(&self.program);
        command.args(["--respawn", "on-failure", "--pidfile", "pid", "--stdout", "log"]).args(options);
        command
    }

    fn started(&self, options: &[&str]) -> Daemon {
        self.stage.started(&mut self.command(options))
    }

    fn pidfile(&self) -> PidFile {
        PidFile::new(self.stage.path("pid"))
    }

    /// Puts another file at the path of the program, as an installation does.
    fn install(&self, program: &str) {
        let new = self.stage.path("new");
        assert!(Command::new("cp").arg(program).arg(&new).status().expect("start cp").success());
        fs::rename(new, &self.program).expect("rename");
    }

    /// Puts a version there that waits until somebody opens this FIFO to write.
    fn install_waiting(&self) -> PathBuf {
        let go = self.stage.path("go");
        nix::unistd::mkfifo(&go, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        self.install_script(&format!("#!/bin/sh\nread line <go\nexec {PROBE} \"$@\""));
        go
    }

    fn install_script(&self, script: &str) {
        let new = self.stage.path("new");
        fs::write(&new, script).expect("write");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("set the mode");
        fs::rename(new, &self.program).expect("rename");
    }

    /// Upgrades it, and returns the new daemon.
    fn upgraded(&self) -> Daemon {
        self.pidfile().upgrade(DEADLINE).expect("an upgrade");
        self.stage.daemon()
    }

    /// Why it cannot be upgraded; and the daemon goes on.
    fn refusal(&self, daemon: &mut Daemon) -> String {
        let (supervisor, before) = (supervisor(daemon), self.stage.read("pid"));
        let error = self.pidfile().upgrade(DEADLINE).expect_err("no upgrade");
        let cannot = format!("cannot upgrade process {}: ", supervisor.0);
        let text = format!("{error:#}");
        let reason = text.strip_prefix(&cannot).unwrap_or_else(|| panic!("{text}"));
        assert!(!daemon.ask("look").is_empty(), "it serves on");
        assert_eq!((self.stage.read("pid"), Process(daemon.process.parent())), (before, supervisor));
        eventually("what it started has ended", || (self.stage.processes().len() == 2).then_some(()));
        assert!(self.stage.no_daemon_reported());
        reason.to_owned()
    }
}

/// It is its supervisor that reaps it.
fn has_ended(daemon: &Daemon) {
    eventually("its end", || (!daemon.process.is_alive()).then_some(()));
}

fn executable(process: Process) -> u64 {
    fs::metadata(format!("/proc/{}/exe", process.0)).expect("its program").ino()
}

fn descriptors(process: Process) -> usize {
    fs::read_dir(format!("/proc/{}/fd", process.0)).expect("its descriptors").count()
}

#[test]
fn the_new_version_takes_over() {
    let service = Service::new();
    let stage = &service.stage;
    let mut old = service.started(&["--umask", "007", "--chdir", "."]);
    let old_supervisor = supervisor(&old);
    assert_eq!(stage.read("pid"), content(old_supervisor));
    let before = old.look();
    service.install(PROBE);

    let mut new = service.upgraded();
    let new_supervisor = supervisor(&new);
    has_ended(&old);
    eventually("its end", || (!old_supervisor.is_alive()).then_some(()));
    let ino = fs::metadata(&service.program).expect("the new version").ino();
    assert_eq!([new.process, new_supervisor].map(executable), [ino; 2]);
    assert_eq!(stage.read("pid"), content(new_supervisor));
    match service.pidfile().status().expect("a status") {
        Status::Running { pid, daemon: Some(daemon), .. } => {
            assert_eq!([pid, daemon], [new_supervisor.0, new.process.0].map(i32::unsigned_abs));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(new_supervisor.session(), new_supervisor.0);
    assert_eq!(new.sight.get("launched_by"), "an upgrade: the line of DAEMON_UPGRADE leads to its parent");
    let after = new.look();
    for same in ["Umask", "directory", "SigBlk", "SigIgn", "terminal"] {
        assert_eq!(after.get(same), before.get(same), "{same}");
    }
    let targets = |sight: &Sight| sight.descriptors().into_values().map(str::to_owned).collect::<Vec<_>>();
    let sockets = |targets: &[String]| targets.iter().filter(|target| target.starts_with("socket:")).count();
    let [before, after] = [&before, &after].map(targets);
    assert_eq!((before.len(), sockets(&before)), (after.len(), sockets(&after)), "{before:?} {after:?}");
    assert_eq!(new.ask("variable DAEMON_UPGRADE"), "environment variable not found");
    let log = stage.read("log");
    let lines = [
        format!("probe: process {} has taken over\n", new_supervisor.0),
        format!("probe: process {} ended as it was asked to, signal: 15 (SIGTERM)\n", old.process.0),
    ];
    assert_eq!(log, lines.concat());
    service.pidfile().stop(DEADLINE).expect("a stop");
    assert_eq!(stage.processes(), []);
    assert_eq!(stage.files(), ["log", "probe"]);
}

/// Whatever changed since: arguments, directory, environment and umask are those of the launch, and what `setup` made of
/// them is made anew.
#[test]
fn it_is_launched_as_the_old_one_was() {
    let service = Service::new();
    service.stage.create_directory("elsewhere");
    let mut shell = service.stage.command("sh");
    let script = "umask 031; cd elsewhere; KEPT='of the launch' LISTEN_FDNAMES=theirs ../probe \"$@\"";
    shell.args(["-c", script, "sh", "--respawn", "on-failure", "--pidfile", "pid", "--stdout", "log"]);
    shell.args(["--notify", "--ready", "--umask", "launcher", "--keep-env", "PROBE_SOCKET", "--go-to", "/"]);
    let old = service.stage.started(&mut shell);
    let pidfile = PidFile::new(service.stage.path("elsewhere/pid"));
    service.install_script(&format!(
        "#!/bin/sh\n(pwd; umask; echo \"$KEPT|$LISTEN_FDNAMES|$LISTEN_FDS|$LISTEN_PID\"; echo $$ \"$*\") >seen; exec {PROBE} \"$@\""
    ));
    pidfile.upgrade(DEADLINE).expect("an upgrade");
    let new = service.stage.daemon();
    let seen = service.stage.read("elsewhere/seen");
    let lines: Vec<_> = seen.lines().collect();
    let directory = service.stage.path("elsewhere").canonicalize().expect("a path");
    let (id, arguments) = lines[3].split_once(' ').expect("arguments");
    assert_eq!(lines[..2], [directory.to_str().expect("a path"), "0031"]);
    assert_eq!(lines[2], format!("of the launch||0|{id}"));
    assert!(arguments.starts_with("--respawn on-failure --pidfile pid"), "{arguments}");
    assert_eq!(new.sight.get("Umask"), "0031");
    has_ended(&old);
}

/// As by a deployment that changes a link: the path of the launch counts, and not what it led to.
#[test]
fn a_link_leads_to_the_new_version() {
    let service = Service::new();
    let stage = &service.stage;
    for version in ["1", "2"] {
        stage.create_directory(version);
        fs::copy(&service.program, stage.path(version).join("probe")).expect("copy");
    }
    std::os::unix::fs::symlink("1", stage.path("current")).expect("a link");
    let mut command = stage.command("current/probe");
    command.args(["--respawn", "on-failure", "--pidfile", "pid"]);
    let old = stage.started(&mut command);
    std::os::unix::fs::symlink("2", stage.path("next")).expect("a link");
    fs::rename(stage.path("next"), stage.path("current")).expect("rename");
    let new = service.upgraded();
    assert_eq!(executable(new.process), fs::metadata(stage.path("2/probe")).expect("the new version").ino());
    has_ended(&old);
}

/// As by an installation while the program runs, and is not a daemon yet.
#[test]
fn a_program_that_was_replaced_before_it_had_the_option() {
    let service = Service::new();
    let stage = &service.stage;
    nix::unistd::mkfifo(&stage.path("go"), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let mut command = stage.command(&service.program);
    let launcher = stage.start(command.args(["--read", "go", "--respawn", "on-failure", "--pidfile", "pid"]));
    let go = fs::File::options().write(true).open(stage.path("go")).expect("it waits");
    service.install(PROBE);
    drop(go);
    let launch = launcher.end();
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    let old = stage.daemon();
    fs::remove_file(stage.path("go")).expect("remove");
    fs::write(stage.path("go"), "").expect("write"); // the new one does not wait
    let new = service.upgraded();
    assert_eq!(executable(new.process), fs::metadata(&service.program).expect("the new version").ino());
    has_ended(&old);
}

#[test]
fn with_other_options() {
    for options in [
        ["--notify", "--ready"].as_slice(),
        &["--keep-env", "PROBE_SOCKET", "--reopen-logs"],
        &["--stdout", "rotate:1000,2:log"],
        &["--user", "nobody", "--connect"],
        &["--user", "nobody", "--chroot", ".", "--connect", "--notify", "--ready"],
    ] {
        if !is_root() && options.contains(&"--user") {
            continue;
        }
        let service = Service::new();
        let mut daemon = service.started(options);
        for _ in 0..3 {
            let old = daemon;
            daemon = service.upgraded();
            has_ended(&old);
            let supervisor = supervisor(&daemon);
            assert_eq!(service.stage.read("pid"), content(supervisor), "{options:?}");
        }
        if !options.contains(&"--connect") {
            let before = supervisor(&daemon);
            daemon.send("crash");
            daemon = service.stage.daemon();
            assert_eq!(supervisor(&daemon), before, "the new one supervises, too");
        }
        service.pidfile().stop(DEADLINE).expect("a stop");
        assert_eq!(service.stage.processes(), [], "{options:?}");
    }
}

/// It has the number of the launch still.
#[test]
fn descriptors_that_are_kept_are_handed_over() {
    let service = Service::new();
    fs::write(service.stage.path("kept"), "of the launch").expect("write");
    let mut shell = service.stage.command("sh");
    shell.args(["-c", "exec 9<kept; exec ./probe \"$@\"", "sh", "--respawn", "on-failure", "--pidfile", "pid"]);
    shell.args(["--keep-fds", "9", "--serve", "port"]);
    let launch = service.stage.launch(&mut shell);
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    let kept = service.stage.path("kept").canonicalize().expect("a path");
    for _ in 0..3 {
        service.pidfile().upgrade(DEADLINE).expect("an upgrade");
        let Status::Running { daemon: Some(daemon), .. } = service.pidfile().status().expect("a status") else {
            panic!("it runs")
        };
        assert_eq!(Process(daemon.cast_signed()).descriptor(9), Some(kept.clone()));
    }
    service.pidfile().stop(DEADLINE).expect("a stop");
}

#[test]
fn a_plain_signal_does_the_same() {
    let service = Service::new();
    let old = service.started(&[]);
    supervisor(&old).signal(Signal::SIGUSR2);
    let new = service.stage.daemon();
    has_ended(&old);
    eventually("its number", || (service.stage.read("pid") == content(supervisor(&new))).then_some(()));
}

#[test]
fn without_a_pidfile_too() {
    let service = Service::new();
    let mut command = service.stage.command(&service.program);
    let old = service.stage.started(command.args(["--respawn", "on-failure"]));
    let old_supervisor = supervisor(&old);
    old_supervisor.signal(Signal::SIGUSR2);
    let new = service.stage.daemon();
    has_ended(&old);
    assert_ne!(supervisor(&new).parent(), old_supervisor.0, "it is nobody's child");
}

/// It takes the end of the process that it knows for the end of the service.
#[test]
fn a_service_manager_is_told_of_the_new_supervisor() {
    let service = Service::new();
    let socket = service.stage.path("manager");
    let manager = UnixDatagram::bind(&socket).expect("bind");
    manager.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let said = || {
        let mut text = [0; 1024];
        let length = manager.recv(&mut text).expect("a message");
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let mut command = service.command(&["--notify", "--ready", "--detach", "always"]);
    let mut daemon = service.stage.started(command.env("NOTIFY_SOCKET", &socket));
    assert_eq!(said(), format!("MAINPID={}\nREADY=1", supervisor(&daemon).0));
    fs::remove_file(&socket).expect("remove"); // the path of the launch may lead nowhere by now
    for _ in 0..3 {
        let old = daemon;
        daemon = thread::scope(|scope| {
            let upgrade = scope.spawn(|| service.upgraded());
            let number = said().strip_prefix("MAINPID=").map(|number| number.trim_end().parse());
            assert!(supervisor(&old).is_alive(), "a main process alone is heard");
            assert_eq!(said(), "BARRIER=1");
            let new = upgrade.join().expect("an upgrade");
            assert_eq!(number, Some(Ok(supervisor(&new).0)));
            new
        });
        has_ended(&old);
    }
    service.pidfile().stop(DEADLINE).expect("a stop");
    manager.set_nonblocking(true).expect("look once");
    assert!(manager.recv(&mut [0]).is_err(), "nothing else");
}

/// Between two daemons, too.
#[test]
fn a_supervisor_that_waits_can_be_upgraded() {
    let service = Service::new();
    let mut old = service.started(&["--respawn", "on-failure,10,60000,60000,60000"]);
    old.send("crash");
    has_ended(&old);
    let new = service.upgraded();
    assert_eq!(service.stage.read("pid"), content(supervisor(&new)));
}

/// A daemon that crashes meanwhile is started again.
#[test]
fn until_then_the_old_daemon_is_respawned() {
    let service = Service::new();
    let mut old = service.started(&["--respawn", "on-failure,10,60000,1,1"]);
    let go = service.install_waiting();
    supervisor(&old).signal(Signal::SIGUSR2);
    let mut go = fs::File::options().write(true).open(go).expect("it waits");
    for _ in 0..3 {
        old.send("crash");
        old = service.stage.daemon();
    }
    std::io::Write::write_all(&mut go, b"go\n").expect("write");
    let new = service.stage.daemon();
    assert_eq!(new.sight.get("launched_by"), "an upgrade: the line of DAEMON_UPGRADE leads to its parent");
    has_ended(&old);
}

#[test]
fn several_who_ask_at_once_get_one_each() {
    let service = Service::new();
    let first = service.started(&["--notify", "--ready"]);
    let asking: Vec<_> = (0..3).map(|_| service.pidfile()).collect();
    thread::scope(|scope| {
        for pidfile in &asking {
            scope.spawn(|| pidfile.upgrade(DEADLINE).expect("an upgrade"));
        }
    });
    let new: Vec<_> = asking.iter().map(|_| service.stage.daemon()).collect();
    let last = new.last().expect("three");
    has_ended(&first);
    eventually("the last one alone", || (service.stage.processes().len() == 2).then_some(()));
    assert_eq!(service.stage.read("pid"), content(supervisor(last)));
    assert!(service.stage.no_daemon_reported());
}

/// Launched by `restart`, it stops nobody.
#[test]
fn the_words_of_the_launch_do_not_stop_the_running_daemon() {
    for words in [["--obey", "restart"], ["--obey", "start"]] {
        let service = Service::new();
        let launch = service.stage.launch(&mut service.command(&words));
        assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
        let old = service.stage.daemon();
        let old_supervisor = supervisor(&old);
        let new = service.upgraded();
        assert_ne!(supervisor(&new), old_supervisor);
    }
}

#[test]
fn by_the_word_of_a_command_line() {
    let service = Service::new();
    let _old = service.started(&[]);
    let said = service.stage.launch(service.stage.command(PROBE).args(["--pidfile", "pid", "--obey", "upgrade"]));
    let new = supervisor(&service.stage.daemon());
    let line = format!("probe has been upgraded, and runs as process {}\n", new.0);
    assert_eq!((said.status, said.stdout, said.stderr), (0, line, String::new()));

    service.install_script("#!/bin/sh\necho no luck >&2\nexit 3");
    let said = service.stage.launch(service.stage.command(PROBE).args(["--pidfile", "pid", "--obey", "upgrade"]));
    let line = format!("probe: cannot upgrade process {}: no luck\n", new.0);
    assert_eq!((said.status, said.stdout, said.stderr), (1, String::new(), line));
}

#[test]
fn as_an_ordinary_user() {
    needs_root!();
    let service = Service::new();
    chown(service.stage.directory(), Some(65534), Some(65534)).expect("chown");
    let mut shell = service.stage.command("setpriv");
    shell.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "./probe", "--respawn", "on-failure"]);
    shell.args(["--pidfile", "pid", "--notify", "--ready"]);
    let old = service.stage.started(&mut shell);
    let mut asks = service.stage.command("setpriv");
    asks.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "./probe", "--pidfile", "pid"]);
    let said = service.stage.launch(asks.args(["--obey", "upgrade"]));
    assert_eq!((said.status, said.stderr.as_str()), (0, ""));
    let new = service.stage.daemon();
    assert_eq!(supervisor(&new).status("Uid").expect("ids"), "65534\t65534\t65534\t65534");
    has_ended(&old);
}
