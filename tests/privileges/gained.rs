//! What an attacker can do by calling a program that has more rights than they have, from a set-user-ID or set-group-ID
//! bit or from file capabilities. The attacker controls its environment, and reads its errors.

use std::{
    fs::{self, Permissions},
    io::ErrorKind,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown, symlink},
        net::UnixDatagram,
    },
    path::{Path, PathBuf},
    process::Command,
};

use support::{Daemon, Launch, Machine, NOBODY, Process, Stage, Syslog, eventually, needs_root, needs_tools};

use crate::{CLIENT, PROBE};

const SECRET: &str = "root's alone\n";
const UNBELIEVED: &str =
    "a shell or a program: exec gave this one more rights than its caller has, so no variable is trusted";
const BELIEVED: &str = "systemd: SYSTEMD_EXEC_PID is its process id, and its parent is process 1";

/// A stage with a copy of the probe that everybody runs as root, and with a directory in which root alone may look.
fn set_user_id() -> Option<(Stage, PathBuf)> {
    let stage = Stage::new();
    let probe = stage.copy_with_mode(PROBE, 0o4755)?;
    create_locked(&stage);
    Some((stage, probe))
}

fn create_locked(stage: &Stage) {
    stage.create_directory("locked");
    fs::set_permissions(stage.path("locked"), Permissions::from_mode(0o700)).expect("a mode");
    fs::write(stage.path("locked/secret"), SECRET).expect("write");
}

/// A script of the shell that `nobody` runs; the program is `$0`.
fn script(stage: &Stage, program: &Path, script: &str) -> Command {
    let mut command = stage.command_of_nobody(Path::new("sh"));
    command.args(["-c", script]).arg(program);
    command
}

fn assert_detached(daemon: &Daemon) {
    assert_eq!((daemon.sight.get("launched_by"), daemon.sight.get("detaches")), (UNBELIEVED, "true"));
    assert_ne!(daemon.sight.get("launcher"), daemon.sight.get("pid"), "it did not fork");
}

/// Through the daemon's whole life.
fn secret_is_untouched_by(stage: &Stage, mut daemon: Daemon) {
    let look = || {
        let metadata = fs::metadata(stage.path("locked/secret")).expect("it is there");
        (stage.read("locked/secret"), metadata.ino(), metadata.mode())
    };
    let before = look();
    assert_eq!(before.0, SECRET);
    daemon.send("return");
    eventually("its end", || (!daemon.process.is_alive()).then_some(()));
    assert_eq!(look(), before);
}

/// A socket that root alone reaches.
fn locked_socket(stage: &Stage) -> UnixDatagram {
    let socket = UnixDatagram::bind(stage.path("locked/socket")).expect("bind");
    socket.set_nonblocking(true).expect("do not wait");
    socket
}

fn assert_hears_nothing(socket: &UnixDatagram) {
    assert_eq!(socket.recv(&mut [0; 64]).expect_err("nothing").kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_pidfile_of_the_callers_is_not_touched() {
    let Some((stage, probe)) = set_user_id() else { return };
    let secret = stage.path("locked/secret").display().to_string();
    for variables in ["SYSTEMD_EXEC_PID=$$", "SYSTEMD_EXEC_PID=$$ LISTEN_PID=$$ LISTEN_FDS=1", "SYSTEMD_EXEC_PID=1"] {
        let attack = format!("{variables} PIDFILE={secret} exec $0");
        let daemon = stage.started(&mut script(&stage, &probe, &attack));
        assert_detached(&daemon);
        secret_is_untouched_by(&stage, daemon);
    }
}

/// A supervisor hands signals on, and one that is killed ends the daemon.
#[test]
fn a_supervisor_takes_no_signal_of_the_callers() {
    for user in ["daemon", "root"] {
        let Some((stage, probe)) = set_user_id() else { return };
        let start = format!("exec $0 --respawn always,10,60000,1,1 --user {user}");
        let daemon = stage.started(&mut script(&stage, &probe, &start));
        let supervisor = Process(daemon.process.parent());
        assert_eq!(supervisor.status("Uid").expect("ids"), "0\t0\t0\t0", "{user}");
        for signal in ["USR1", "TERM", "KILL"] {
            let kill = format!("kill -{signal} {} 2>&1", supervisor.0);
            let said = stage.launch(&mut script(&stage, &probe, &kill)).stdout;
            assert!(said.contains("Operation not permitted"), "{user} {signal}: {said}");
        }
        assert!(daemon.process.is_alive() && stage.no_daemon_reported(), "{user}");
    }
}

/// They leave it the caller's user id.
#[test]
fn with_file_capabilities_there_is_no_supervisor_of_another_user() {
    let stage = Stage::new();
    let capabilities = "cap_setuid,cap_setgid,cap_kill+ep";
    let Some(probe) = stage.copy_with_capabilities(PROBE, capabilities) else { return };
    let refused =
        "probe: cannot supervise a process of user daemon: the caller of this program may signal its supervisor";
    stage.refuses(&mut script(&stage, &probe, "exec $0 --respawn always --user daemon"), refused);
    for options in ["--user daemon", "--respawn always"] {
        let _daemon = stage.started(&mut script(&stage, &probe, &format!("exec $0 {options}")));
    }
}

#[test]
fn a_parent_that_calls_itself_systemd_is_nobody() {
    let Some((stage, probe)) = set_user_id() else { return };
    let shell = stage.copy("/bin/sh");
    fs::rename(shell, stage.path("systemd")).expect("rename");
    for pidfile in ["", "PIDFILE=$PWD/locked/secret"] {
        let mut command = stage.command_of_nobody(&stage.path("systemd"));
        let attack = format!("INVOCATION_ID=0123456789abcdef {pidfile} $0; exit $?");
        let daemon = stage.started(command.args(["-c", &attack]).arg(&probe));
        assert_detached(&daemon);
        secret_is_untouched_by(&stage, daemon);
    }
}

#[test]
fn a_socket_of_the_callers_hears_nothing() {
    let Some((stage, probe)) = set_user_id() else { return };
    let socket = locked_socket(&stage);
    let path = stage.path("locked/socket").display().to_string();
    for variables in ["", "SYSTEMD_EXEC_PID=$$", "SUPERVISOR_ENABLED=1", "LISTEN_PID=$$ LISTEN_FDS=0"] {
        let attack = format!("{variables} NOTIFY_SOCKET={path} exec $0 --notify --ready");
        let daemon = stage.started(&mut script(&stage, &probe, &attack));
        assert_detached(&daemon);
        secret_is_untouched_by(&stage, daemon);
        assert_hears_nothing(&socket);
    }
}

/// A caller who exits, and waits until process 1 has adopted the program, can make it look like a service.
#[test]
fn an_orphan_can_pass_for_a_service_and_gains_nothing() {
    let Some((stage, probe)) = set_user_id() else { return };
    let socket = locked_socket(&stage);
    let machine = Machine::start(&stage);
    let attack = "
        until grep -q '^PPid:[[:space:]]*1$' /proc/$$/status; do :; done
        SYSTEMD_EXEC_PID=$$ PIDFILE=$PWD/locked/secret NOTIFY_SOCKET=$PWD/locked/socket exec $0 --notify";
    let nobody = NOBODY.join(" ");
    let orphan = format!("{nobody} sh -c \"$2\" \"$1\" >/dev/null 2>&1 </dev/null &");
    assert_eq!(stage.launch(machine.shell(&orphan).arg(&probe).arg(attack)).status, 0);
    let mut daemon = stage.daemon();
    daemon.assert_stays(BELIEVED);
    assert_eq!(daemon.ask("ready"), "");
    assert_eq!(daemon.ask("variable NOTIFY_SOCKET"), stage.path("locked/socket").display().to_string());
    secret_is_untouched_by(&stage, daemon);
    assert_hears_nothing(&socket);
}

/// The program's libraries would take them for the word of a manager.
#[test]
fn variables_of_the_callers_do_not_come_to_mean_the_daemon() {
    let Some((stage, probe)) = set_user_id() else { return };
    let variables = "SYSTEMD_EXEC_PID=$$ LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_PIDFDID=1 WATCHDOG_PID=$$ WATCHDOG_USEC=1 NOTIFY_SOCKET=/x";
    let mut daemon = stage.started(&mut script(&stage, &probe, &format!("{variables} exec $0")));
    for variable in ["LISTEN_PID", "WATCHDOG_PID"] {
        assert_eq!(daemon.ask(&format!("variable {variable}")), daemon.sight.get("launcher"), "{variable}");
    }
    drop(daemon);

    let daemon = stage.started(&mut script(&stage, &probe, "LISTEN_FDS=2 exec $0 3</dev/null 4</dev/null"));
    assert!(!daemon.sight.descriptors().contains_key(&3), "{:?}", daemon.sight);
    drop(daemon);

    let options = "--keep-env PATH,PROBE_SOCKET";
    let mut daemon = stage.started(&mut script(&stage, &probe, &format!("{variables} exec $0 {options}")));
    for variable in variables.split(' ').filter_map(|variable| variable.split('=').next()) {
        assert_eq!(daemon.ask(&format!("variable {variable}")), "environment variable not found", "{variable}");
    }
}

/// What stands in place of `locked/x`, which the programs name by paths that lead through it. Whatever it is, they fail.
#[derive(Debug)]
enum Placed {
    Nothing,
    File,
    Directories,
    Links,
    LinksToNothing,
    OthersFiles,
    OthersDirectory,
}

const PLACED: [Placed; 7] = [
    Placed::Nothing,
    Placed::File,
    Placed::Directories,
    Placed::Links,
    Placed::LinksToNothing,
    Placed::OthersFiles,
    Placed::OthersDirectory,
];

impl Placed {
    fn put(&self, stage: &Stage) {
        let (at, below) = (stage.path("locked/x"), stage.path("locked/x/y"));
        let directory = |mode| {
            fs::create_dir(&at).expect("create a directory");
            fs::set_permissions(&at, Permissions::from_mode(mode)).expect("a mode");
        };
        match self {
            Self::Nothing => {}
            Self::File => fs::write(&at, "1\n").expect("write"),
            Self::Directories => {
                directory(0o755);
                fs::create_dir(below).expect("create a directory");
            }
            Self::Links => {
                directory(0o755);
                symlink(stage.path("locked/secret"), below).expect("link");
            }
            Self::LinksToNothing => symlink(stage.path("locked/nothing"), &at).expect("link"),
            Self::OthersFiles => {
                directory(0o755);
                fs::write(&below, "1\n").expect("write");
                chown(&below, Some(1), Some(1)).expect("give it away");
                fs::hard_link(&below, stage.path("locked/x/z")).expect("link");
            }
            Self::OthersDirectory => {
                directory(0o777);
                symlink(stage.path("locked/secret"), below).expect("link");
                chown(&at, Some(1), Some(1)).expect("give it away");
            }
        }
    }

    fn remove(stage: &Stage) {
        let at = stage.path("locked/x");
        let _ = fs::remove_dir_all(&at).or_else(|_| fs::remove_file(&at));
    }
}

/// The options that take a path, below one that may be there or not, and what they say of it.
const STEPS: [(&[&str], &str); 8] = [
    (&["--stdout", "locked/x/y"], "cannot open stdout {}/locked/x/y"),
    (&["--stdin", "locked/x/y/z"], "cannot open stdin {}/locked/x/y/z"),
    (&["--stdout", "truncate:locked/x/y", "--user", "nobody"], "cannot open stdout {}/locked/x/y"),
    (&["--stderr", "locked/x/y", "--reopen-logs", "--user", "nobody"], "cannot open stderr {}/locked/x/y"),
    (&["--pidfile", "locked/x/y"], "cannot lock {}/locked/x/y"),
    (&["--pidfile", "locked/x/y", "--foreground"], "cannot lock {}/locked/x/y"),
    (&["--chdir", "locked/x/y/z"], "cannot change directory to {}/locked/x/y/z"),
    (&["--chroot", "locked/x/y/z"], "cannot change the root directory to {}/locked/x/y/z"),
];

/// The same to the last byte, whether a path is there, where a link leads, and whose it is.
#[test]
fn errors_tell_nothing_of_what_the_caller_may_not_see() {
    let Some((stage, probe)) = set_user_id() else { return };
    for (options, step) in STEPS {
        for placed in PLACED {
            placed.put(&stage);
            let line = format!("probe: {step}: the cause is in the system's log");
            stage.refuses(stage.command_of_nobody(&probe).args(options), &line);
            Placed::remove(&stage);
        }
    }
}

/// A program that prints what `start` and `spawn` return tells no more than one that calls `run`.
#[test]
fn errors_that_are_returned_tell_nothing_either() {
    let stage = Stage::new();
    let Some(client) = stage.copy_with_mode(CLIENT, 0o4755) else { return };
    create_locked(&stage);
    stage.open_to_all();
    let told = |option: &str, step: &str| {
        let mut start = stage.command_of_nobody(&client);
        let start = stage.launch(start.args(["start"]).args(option.split(' '))).stdout;
        let mut command = stage.command_of_nobody(&client);
        let launcher = stage.start(command.args(["obey", "quietly"]));
        let spawn = stage.daemon().ask(&format!("spawn {option}"));
        drop(launcher);
        let line = format!("error={step}: the cause is in the system's log\nstatus=1\nrunning=none\nstderr=");
        for told in [start, spawn] {
            assert!(told.starts_with(&line.replace("{}", &stage.directory().display().to_string())), "{told}");
        }
    };
    told("--stdout locked/x/y", "cannot open stdout {}/locked/x/y");
    let _holder = stage.started(stage.command(PROBE).args(["--pidfile", "locked/pid"]));
    told("--pidfile locked/pid", "cannot lock {}/locked/pid");
}

/// With `chroot`, `chdir` is looked up inside.
#[test]
fn errors_of_a_jail_tell_nothing_either() {
    let Some((stage, probe)) = set_user_id() else { return };
    for placed in PLACED {
        placed.put(&stage);
        let line = "probe: cannot change directory to /x/y/z: the cause is in the system's log";
        let options = ["--chroot", "locked", "--chdir", "x/y/z"];
        stage.refuses(stage.command_of_nobody(&probe).args(options), line);
        Placed::remove(&stage);
    }
    symlink("locked", stage.path("link")).expect("link");
    let line = "probe: cannot change the root directory: the cause is in the system's log";
    let options = ["--chroot", "locked", "--open-directory", "link/."];
    stage.refuses(stage.command_of_nobody(&probe).args(options), line);
}

#[test]
fn another_instance_is_not_named() {
    let Some((stage, probe)) = set_user_id() else { return };
    let options = ["--pidfile", "locked/pid"];
    let line = "probe: cannot lock {}/locked/pid: the cause is in the system's log";
    let _daemon = stage.started(stage.command_of_nobody(&probe).args(options));
    for more in [[].as_slice(), &["--fail", "no luck"]] {
        let launch = stage.launch(stage.command_of_nobody(&probe).args(options).args(more));
        let line = line.replace("{}", &stage.directory().display().to_string());
        assert_eq!((launch.status, launch.stderr), (1, format!("{line}\n")));
    }
}

/// What fails in the daemon comes by way of the leader.
#[test]
fn an_error_of_the_daemon_itself_tells_nothing_either() {
    let Some((stage, probe)) = set_user_id() else { return };
    let line = "probe: cannot write the process id to {}/locked/pid: the cause is in the system's log";
    stage.refuses(&mut script(&stage, &probe, "ulimit -f 0; exec $0 --pidfile locked/pid"), line);
}

#[test]
fn the_cause_is_in_the_systems_log() {
    let Some((stage, probe)) = set_user_id() else { return };
    let log = Syslog::new(&stage);
    symlink(stage.path("locked/secret"), stage.path("locked/link")).expect("link");
    let directory = stage.directory().canonicalize().expect("a path").display().to_string();
    for (options, text) in [
        ("--stdout locked/x/y", "cannot open stdout {}/locked/x/y: there is no directory {}/locked/x"),
        (
            "--stdout locked/link --user nobody",
            "cannot open stdout {}/locked/link: it is a symbolic link; name its target, {}/locked/secret",
        ),
        ("--pidfile locked/secret/x", "cannot lock {}/locked/secret/x: {}/locked/secret is not a directory"),
        ("--pidfile locked/pid", "cannot write the process id to {}/locked/pid: File too large (os error 27)"),
    ] {
        let mut command = stage.command_beside_syslog(NOBODY[0]);
        command.args(&NOBODY[1..]).args(["sh", "-c", &format!("ulimit -f 0; exec $0 {options}")]).arg(&probe);
        let Launch { status, stderr, .. } = stage.launch(&mut command);
        let [line] = log.lines().try_into().unwrap_or_else(|lines| panic!("{lines:?} {stderr}"));
        let (before, said) = line.split_once("]: ").expect("a line");
        assert!(before.starts_with("<27>probe["), "{line}");
        assert_eq!((status, said), (1, text.replace("{}", &directory).as_str()));
        assert!(stderr.ends_with(": the cause is in the system's log\n"), "{stderr}");
    }
}

/// The program's own text and mistakes in options reveal nothing about the file system.
#[test]
fn what_has_no_cause_is_said_in_full() {
    let Some((stage, probe)) = set_user_id() else { return };
    for (options, line) in [
        (["--fail", "no luck"], "no luck: the cause"),
        (["--umask", "1000"], "`umask` must be between 0o000 and 0o777, found 0o1000"),
        (["--user", "missing"], "`user` is unknown: there is no user missing"),
    ] {
        stage.refuses(stage.command_of_nobody(&probe).args(options), &format!("probe: {line}"));
    }
}

/// A log may hold what others wrote. The file in memory holds only what this daemon wrote.
#[test]
fn the_end_of_a_log_is_not_shown() {
    let Some((stage, probe)) = set_user_id() else { return };
    for (options, said) in [(["--stderr", "locked/log"], ""), (["--stderr", "nothing"], "no luck\n")] {
        let launcher = stage.start(stage.command_of_nobody(&probe).arg("--notify").args(options));
        let mut daemon = stage.daemon();
        assert_eq!(daemon.ask("stderr no luck"), "");
        daemon.send("exit 7");
        let Launch { status, stderr, .. } = launcher.end();
        let line = "probe: the daemon ended before it was ready: exit status: 7\n";
        assert_eq!((status, stderr), (7, format!("{said}{line}")));
    }
    assert_eq!(stage.read("locked/log"), "no luck\n");
}

/// This cause is shown only to those who could have looked themselves.
const MISSING: &str = "cannot open stdout {}/missing/log: there is no directory {}/missing";
const WITHHELD: &str = "cannot open stdout {}/missing/log: the cause is in the system's log";

fn says(stage: &Stage, command: &mut Command, line: &str) {
    stage.refuses(command.args(["--stdout", "missing/log"]), &format!("probe: {line}"));
}

#[test]
fn a_set_group_id_program_tells_nothing() {
    let stage = Stage::new();
    let Some(probe) = stage.copy_with_mode(PROBE, 0o2755) else { return };
    says(&stage, &mut stage.command_of_nobody(&probe), WITHHELD);
    assert_detached(&stage.started(&mut script(&stage, &probe, "SYSTEMD_EXEC_PID=$$ exec $0")));
}

#[test]
fn a_program_that_may_look_anywhere_tells_nothing() {
    for capability in ["cap_dac_override", "cap_dac_read_search", "cap_setuid", "cap_setgid"] {
        for sets in ["ep", "p"] {
            let stage = Stage::new();
            let Some(probe) = stage.copy_with_capabilities(PROBE, &format!("{capability}+{sets}")) else { return };
            says(&stage, &mut stage.command_of_nobody(&probe), WITHHELD);
        }
    }
}

/// It sees no more than its caller, but the environment still comes from the caller.
#[test]
fn a_program_that_may_bind_low_ports_tells_its_causes() {
    let stage = Stage::new();
    let Some(probe) = stage.copy_with_capabilities(PROBE, "cap_net_bind_service+ep") else { return };
    says(&stage, &mut stage.command_of_nobody(&probe), MISSING);
    assert_detached(&stage.started(&mut script(&stage, &probe, "SYSTEMD_EXEC_PID=$$ exec $0")));
}

#[test]
fn to_root_everything_is_told() {
    let Some((stage, probe)) = set_user_id() else { return };
    says(&stage, &mut stage.command(&probe), MISSING);
    // And so it is by a program of another user's.
    chown(&probe, Some(1), Some(1)).expect("give it away");
    fs::set_permissions(&probe, Permissions::from_mode(0o6755)).expect("a mode");
    says(&stage, &mut stage.command(&probe), MISSING);
}

/// Whoever calls a program without such bits.
#[test]
fn an_ordinary_program_is_none_of_these() {
    needs_root!();
    needs_tools!("setpriv");
    let stage = Stage::new();
    stage.open_to_all();
    let probe = stage.copy(PROBE);
    says(&stage, &mut stage.command_of_nobody(&probe), MISSING);
    let _program = stage.start(&mut script(&stage, &probe, "SYSTEMD_EXEC_PID=$$ exec $0"));
    stage.daemon().assert_stays("systemd: SYSTEMD_EXEC_PID is its process id");
}
