//! One running instance, by a locked pidfile.

use std::{
    fs::{self, File, Permissions},
    io::Write,
    iter,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
    thread,
    time::Duration,
};

use daemon_rt::{PidFile, Status, Stopped};
use nix::{
    fcntl::{Flock, FlockArg},
    sys::{signal::Signal, stat::Mode, wait::WaitStatus},
    unistd::{self, mkfifo},
};
use support::{Launch, Process, Stage, eventually, is_root, needs_ordinary_user, needs_root, needs_tools};

use super::{probe, started};
use crate::{PROBE, preload};

const NOBODY: u32 = 65534;

/// The start that failed with that line, and left nobody behind.
fn refused(stage: &Stage, launch: &Launch, why: &str) {
    let line = format!("probe: cannot lock {}: {why}\n", stage.path("pid").display());
    assert_eq!((launch.status, launch.stderr.as_str()), (1, line.as_str()));
    assert!(stage.no_daemon_reported());
}

#[test]
fn it_holds_the_number_of_the_daemon_and_a_newline() {
    let stage = Stage::new();
    let daemon = started(&stage);
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
    assert_eq!(stage.path("pid").metadata().expect("the pidfile").mode() & 0o7777, 0o600);
}

#[test]
fn it_is_there_when_the_launcher_has_gone_and_in_the_foreground() {
    for options in [["--pidfile", "pid"].as_slice(), &["--pidfile", "pid", "--foreground"]] {
        let stage = Stage::new();
        let mut child = stage.command(PROBE).args(options).spawn().expect("start");
        let mut daemon = stage.daemon();
        assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
        daemon.send("return");
        eventually("the launcher's end", || child.try_wait().expect("wait"));
        eventually("the removal of the pidfile", || (!stage.path("pid").exists()).then_some(()));
    }
}

#[test]
fn a_second_start_fails_and_names_the_first() {
    let stage = Stage::new();
    let daemon = started(&stage);
    let running = format!("already running as process {}", daemon.process.0);
    refused(&stage, &stage.launch(&mut probe(&stage)), &running);
    refused(&stage, &stage.launch(probe(&stage).arg("--foreground")), &running);
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0), "it was not touched");
}

#[test]
fn what_setup_ran_into_is_the_other_instance() {
    let stage = Stage::new();
    let daemon = started(&stage);
    let launch = stage.launch(probe(&stage).args(["--fail", "address in use"]));
    refused(&stage, &launch, &format!("already running as process {}", daemon.process.0));
    let launch = stage.launch(stage.command(PROBE).args(["--pidfile", "other", "--fail", "address in use"]));
    assert_eq!(launch.stderr, "probe: address in use: the cause\n");
}

#[test]
fn what_setup_ran_into_is_a_start_that_is_under_way() {
    let stage = Stage::of_the_process();
    let starting = Flock::lock(stage.create("pid"), FlockArg::LockExclusiveNonblock).expect("a lock");
    let launch = stage.launch(probe(&stage).args(["--fail", "address in use"]));
    refused(&stage, &launch, "already starting; the process has not written its id yet");
    thread::scope(|scope| {
        let launch = scope.spawn(|| stage.launch(probe(&stage).args(["--fail", "address in use"])));
        thread::sleep(Duration::from_millis(200)); // longer than a look takes, and shorter than it is waited for
        writeln!(&*starting, "{}", std::process::id()).expect("write");
        let running = format!("already running as process {}", std::process::id());
        refused(&stage, &launch.join().expect("a launch"), &running);
    });
}

#[test]
fn the_pidfile_that_setup_names_last_is_the_one() {
    let stage = Stage::new();
    let launch = stage.launch(stage.command(PROBE).args(["--pidfile", "first", "--lock", "--pidfile", "pid"]));
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    let daemon = stage.daemon();
    assert_eq!(stage.files(), ["pid"]);
    refused(&stage, &stage.launch(&mut probe(&stage)), &format!("already running as process {}", daemon.process.0));
}

#[test]
fn setup_may_lock_it_early() {
    let stage = Stage::new();
    let launch = stage.launch(probe(&stage).args(["--lock", "--open", "socket"]));
    assert_eq!(launch.status, 0, "{launch:?}");
    let daemon = stage.daemon();
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));

    fs::remove_file(stage.path("socket")).expect("remove a file");
    let launch = stage.launch(probe(&stage).args(["--lock", "--open", "socket"]));
    refused(&stage, &launch, &format!("already running as process {}", daemon.process.0));
    assert!(!stage.path("socket").exists(), "setup went on after the lock failed");

    let launch = stage.launch(stage.command(PROBE).arg("--lock"));
    assert_eq!(launch.stderr, "probe: cannot lock a pidfile: the option `pidfile` is not set\n");
}

/// If a process has that capability, a caller without it sees only the numbers of its descriptors. The kernel still
/// names the daemon, fcntl(2).
#[test]
fn a_caller_that_may_not_look_at_the_daemon_still_learns_that_it_runs() {
    needs_root!();
    needs_tools!("setpriv");
    let stage = Stage::new();
    assert_eq!(stage.launch(&mut probe(&stage)).status, 0);
    let daemon = stage.daemon();
    let mut second = stage.command("setpriv");
    second.args(["--bounding-set", "-sys_ptrace", "--", PROBE, "--pidfile", "pid"]);
    refused(&stage, &stage.launch(&mut second), &format!("already running as process {}", daemon.process.0));
}

#[test]
fn a_start_that_fails_leaves_another_file_of_that_name() {
    let stage = Stage::new();
    let start = stage.start(probe(&stage).arg("--notify"));
    let mut daemon = stage.daemon();
    fs::remove_file(stage.path("pid")).expect("remove a file");
    fs::write(stage.path("pid"), "another\n").expect("write");
    daemon.send("exit 3");
    assert_eq!(start.end().status, 3);
    assert_eq!(stage.read("pid"), "another\n");
}

/// It holds the pidfile itself: its own error is the one to show.
#[test]
fn a_setup_that_locked_it_may_fail() {
    let stage = Stage::new();
    let launch = stage.launch(probe(&stage).args(["--lock", "--fail", "no luck"]));
    assert_eq!((launch.status, launch.stderr.as_str()), (1, "probe: no luck: the cause\n"));
    assert_eq!(stage.files(), [""; 0]);
}

#[test]
fn a_setup_that_locked_it_may_exit() {
    let stage = Stage::new();
    let launch = stage.launch(probe(&stage).args(["--lock", "--exit", "3"]));
    assert_eq!((launch.status, launch.stderr.as_str()), (3, ""));
    assert_eq!(stage.files(), [""; 0]);
}

#[test]
fn of_many_starts_at_once_one_succeeds() {
    for options in [[].as_slice(), &["--lock"], &["--notify"]] {
        let stage = Stage::new();
        let (daemon, launches) = thread::scope(|scope| {
            let start = || stage.launch(probe(&stage).args(options));
            let starts: Vec<_> = iter::repeat_with(|| scope.spawn(start)).take(100).collect();
            let mut daemon = stage.daemon();
            daemon.ask("ready");
            let launches = starts.into_iter().map(|start| start.join().expect("a launch"));
            (daemon, launches.collect::<Vec<_>>())
        });
        let (good, bad): (Vec<_>, Vec<_>) = launches.iter().partition(|launch| launch.status == 0);
        assert_eq!(good.len(), 1, "{options:?}");
        for launch in bad {
            refused(&stage, launch, &format!("already running as process {}", daemon.process.0));
        }
        assert_eq!(stage.processes(), [daemon.process]);
    }
}

#[test]
fn it_is_removed_after_a_return_an_error_an_exit_and_a_panic() {
    for command in ["return", "return an error", "exit 0", "exit 3", "panic at once"] {
        let stage = Stage::new();
        let mut daemon = started(&stage);
        daemon.send(command);
        daemon.wait();
        assert_eq!(stage.files(), [] as [&str; 0], "{command}");
    }
}

#[test]
fn it_is_removed_after_a_failed_start() {
    for options in [["--stdout", "missing/log"], ["--start-timeout", "100"], ["--keep-fds", "77"]] {
        let stage = Stage::new();
        let launch = stage.launch(probe(&stage).arg("--notify").args(options));
        assert_eq!(launch.status, 1, "{launch:?}");
        assert_eq!(stage.files(), [] as [&str; 0], "{options:?}");
    }
}

/// Only the leader is left to remove it.
#[test]
fn it_is_removed_when_the_launcher_was_killed_and_the_daemon_ignores_sigterm() {
    let stage = Stage::new();
    let launcher = stage.start(probe(&stage).args(["--notify", "--ignore-signal", "SIGTERM"]));
    let daemon = stage.daemon();
    launcher.process.signal(Signal::SIGKILL);
    assert_eq!(launcher.end().status, 128 + Signal::SIGKILL as i32);
    eventually("the end of the daemon, after five seconds", || (!daemon.process.is_alive()).then_some(()));
    eventually("the end of the leader", || stage.processes().is_empty().then_some(()));
    assert_eq!(stage.files(), [] as [&str; 0]);
}

/// The launcher failed, but the daemon had left its group and was not ended: there is still one instance.
#[test]
fn a_daemon_that_outlives_its_failed_start_keeps_it() {
    let stage = Stage::new();
    let launcher = stage.start(probe(&stage).arg("--notify"));
    let mut daemon = stage.daemon();
    daemon.ask("leave-group");
    Process(daemon.process.parent()).signal(Signal::SIGKILL); // the leader, which would end it
    assert_eq!(launcher.end().status, 128 + Signal::SIGKILL as i32);
    refused(&stage, &stage.launch(&mut probe(&stage)), &format!("already running as process {}", daemon.process.0));
    let stopped = PidFile::new(stage.path("pid")).stop(Duration::from_secs(10)).expect("a stop");
    assert_eq!(stopped, Stopped::Terminated);
    assert_eq!(stage.files(), [] as [&str; 0]);
}

#[test]
fn after_sigkill_the_next_start_succeeds() {
    let stage = Stage::new();
    let daemon = started(&stage);
    daemon.process.signal(Signal::SIGKILL);
    daemon.wait();
    assert_eq!(PidFile::new(stage.path("pid")).status().expect("a status"), Status::Stale);
    let next = started(&stage);
    assert_eq!(stage.read("pid"), format!("{}\n", next.process.0));
}

#[test]
fn a_stale_number_fools_nobody_even_if_it_is_taken() {
    let stage = Stage::new();
    let bystander = std::process::id();
    for content in [format!("{bystander}\n"), "1\n".into(), format!("{bystander}"), " 012 \n".into(), "\n".into()] {
        fs::write(stage.path("pid"), content).expect("write");
        let mut daemon = started(&stage);
        assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
        daemon.send("exit 0");
        daemon.wait();
    }
}

#[test]
fn who_does_not_hold_it_is_not_said_to() {
    let stage = Stage::new();
    let held = Flock::lock(stage.create("pid"), FlockArg::LockExclusiveNonblock).expect("a lock");
    let mut bystander = stage.command("sleep").arg("1000").spawn().expect("start");
    for content in [format!("{}\n", bystander.id()), "4000000\n".into(), "1\n".into(), "x\n".into()] {
        fs::write(stage.path("pid"), content).expect("write");
        refused(&stage, &stage.launch(&mut probe(&stage)), "it is held by a process that it does not name");
    }
    bystander.kill().and_then(|()| bystander.wait()).expect("end the bystander");
    drop(held);
    fs::write(stage.path("pid"), "4000000\n").expect("write");
    started(&stage);
}

/// As the manual says of a worker that never execs.
#[test]
fn a_worker_holds_it_when_the_daemon_was_killed() {
    let stage = Stage::new();
    let mut daemon = started(&stage);
    let worker = Process(daemon.ask("fork").parse().expect("a process id"));
    daemon.process.signal(Signal::SIGKILL);
    daemon.wait();
    refused(&stage, &stage.launch(&mut probe(&stage)), "it is held by a process that it does not name");
    let error = PidFile::new(stage.path("pid")).stop(Duration::from_secs(1)).expect_err("nobody to stop");
    let why = format!("process {}, which it names, has ended", daemon.process.0);
    assert_eq!(format!("{error:#}"), format!("cannot tell who holds {}: {why}", stage.path("pid").display()));
    assert!(worker.is_alive());
    worker.signal(Signal::SIGKILL);
    worker.wait();
    started(&stage);
}

#[test]
fn a_child_that_outlives_the_daemon_does_not_hold_it() {
    let stage = Stage::new();
    let mut daemon = started(&stage);
    let child: i32 = daemon.ask("spawn").parse().expect("a process id");
    daemon.process.signal(Signal::SIGKILL);
    daemon.wait();
    assert!(Process(child).is_alive());
    drop(started(&stage));
}

#[test]
fn a_worker_that_exits_does_not_remove_it() {
    let stage = Stage::new();
    let mut daemon = started(&stage);
    daemon.ask("fork-and-exit");
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
    daemon.send("return");
    daemon.wait();
    assert!(!stage.path("pid").exists());
}

#[test]
fn exit_removes_nobody_elses_file() {
    let stage = Stage::new();
    let mut daemon = started(&stage);
    let first = daemon.process.0;
    fs::rename(stage.path("pid"), stage.path("moved")).expect("rename");
    fs::write(stage.path("pid"), "somebody else's").expect("write");
    daemon.send("return");
    daemon.wait();
    assert_eq!(stage.read("pid"), "somebody else's");
    assert_eq!(stage.read("moved"), format!("{first}\n"), "the daemon cannot write to it");
}

#[test]
fn an_unlinked_file_is_not_the_one_at_its_path() {
    let stage = Stage::new();
    let mut first = started(&stage);
    fs::remove_file(stage.path("pid")).expect("remove");
    let second = started(&stage);
    first.send("return");
    first.wait();
    assert_eq!(stage.read("pid"), format!("{}\n", second.process.0), "the first one removed the second one's");
    refused(&stage, &stage.launch(&mut probe(&stage)), &format!("already running as process {}", second.process.0));
}

#[test]
fn a_look_at_the_status_keeps_nobody_from_starting() {
    let stage = Stage::new();
    let pidfile = PidFile::new(stage.path("pid"));
    fs::write(stage.path("pid"), "4000000\n").expect("write");
    thread::scope(|scope| {
        let looking = scope.spawn(|| {
            eventually("a daemon", || match pidfile.status() {
                Ok(Status::Running { pid, .. }) => Some(pid),
                _ => None,
            })
        });
        let daemon = started(&stage);
        assert_eq!(looking.join().expect("a status"), daemon.process.0.unsigned_abs());
    });
}

#[test]
fn what_is_no_pidfile_is_refused_and_not_touched() {
    let stage = Stage::new();
    let target = stage.path("target");
    fs::write(&target, "secret\n").expect("write");

    let prepare: [(&str, &dyn Fn()); 5] = [
        ("it is not a regular file", &|| stage.create_directory("pid")),
        ("it is not a regular file", &|| mkfifo(&stage.path("pid"), Mode::S_IRWXU).expect("a FIFO")),
        (&format!("it is a symbolic link; name its target, {}", target.display()), &|| {
            symlink(&target, stage.path("pid")).expect("a link");
        }),
        (&format!("it is a symbolic link; name its target, {}", stage.path("nothing").display()), &|| {
            symlink(stage.path("nothing"), stage.path("pid")).expect("a link");
        }),
        ("it has a second hard link", &|| fs::hard_link(&target, stage.path("pid")).expect("a link")),
    ];
    for (why, prepare) in prepare {
        prepare();
        refused(&stage, &stage.launch(&mut probe(&stage)), why);
        let status = PidFile::new(stage.path("pid")).status().expect_err("a refusal");
        assert_eq!(format!("{status:#}"), format!("cannot open {}: {why}", stage.path("pid").display()));
        let found = stage.path("pid").symlink_metadata().expect("it is still there").file_type();
        if found.is_dir() && !found.is_fifo() {
            fs::remove_dir(stage.path("pid")).expect("remove");
        } else {
            fs::remove_file(stage.path("pid")).expect("remove");
        }
        assert_eq!(stage.read("target"), "secret\n");
        assert!(!stage.path("nothing").exists());
    }
}

/// For root, and for a user who may write there.
#[test]
fn a_full_file_system_and_a_read_only_one_are_errors() {
    needs_root!();
    let stage = Stage::new();
    let (mount, probe) = (stage.path("mount"), stage.copy(PROBE));
    fs::create_dir(&mount).expect("a directory");
    stage.open_to_all();
    for (prepare, error) in [
        ("head -c 4096 /dev/zero >old", "write the process id to mount/pid: No space left on device (os error 28)"),
        (":>old && mount -o remount,ro .", "lock mount/pid: Read-only file system (os error 30)"),
    ] {
        for user in ["", "setpriv --reuid 65534 --regid 65534 --clear-groups"] {
            let script = r#"mount -t tmpfs -o size=4k tmpfs "$1" && (cd "$1" && eval "$2") || exit 99
                $3 "$4" --pidfile "$1/pid"; status=$?; ls "$1"; exit $status"#;
            let mut unshare = stage.command("unshare");
            unshare.args(["--mount", "sh", "-c", script, "sh"]).arg(&mount).args([prepare, user]).arg(&probe);
            let launch = stage.launch(&mut unshare);
            let line = format!("probe: cannot {error}\n").replace("mount/", &format!("{}/", mount.display()));
            assert_eq!((launch.status, launch.stderr, launch.stdout.as_str()), (1, line, "old\n"), "{user}");
        }
    }
}

#[test]
fn a_log_is_no_pidfile() {
    let stage = Stage::new();
    for stream in ["stdout", "stderr"] {
        let launch = stage.launch(probe(&stage).args([&format!("--{stream}"), "./pid"]));
        let line = format!("probe: `pidfile` and `{stream}` are the same file, {}\n", stage.path("pid").display());
        assert_eq!((launch.status, launch.stderr), (1, line));
        assert_eq!(stage.files(), [] as [&str; 0]);
    }
}

#[test]
fn root_takes_no_file_that_others_could_have_written() {
    needs_root!();
    let stage = Stage::new();
    let pidfile = stage.path("pid");
    File::create(&pidfile).and_then(|file| file.set_permissions(Permissions::from_mode(0o600))).expect("a file");
    std::os::unix::fs::chown(&pidfile, Some(65534), None).expect("give it away");
    refused(&stage, &stage.launch(&mut probe(&stage)), "it belongs to another user, with the id 65534");
    assert!(PidFile::new(&pidfile).status().is_err());
    fs::remove_file(&pidfile).expect("remove");

    let directory = stage.path("directory");
    fs::create_dir(&directory).expect("a directory");
    for (owner, mode, is_refused) in [
        (0, 0o775, true),
        (0, 0o757, true),
        (65534, 0o755, true),
        (65534, 0o1755, true),
        (0, 0o1777, false),
        (0, 0o755, false),
    ] {
        std::os::unix::fs::chown(&directory, Some(owner), None).expect("give it away");
        fs::set_permissions(&directory, Permissions::from_mode(mode)).expect("a mode");
        let launch = stage.launch(stage.command(PROBE).args(["--pidfile", "directory/pid"]));
        let line = format!(
            "probe: cannot lock {0}/pid: users other than root may write in the directory {0}\n",
            directory.display()
        );
        if is_refused {
            assert_eq!((launch.status, launch.stderr), (1, line), "{owner} {mode:o}");
        } else {
            assert_eq!((launch.status, launch.stderr.as_str()), (0, ""), "{owner} {mode:o}");
            let mut daemon = stage.daemon();
            daemon.send("exit 0");
            daemon.wait();
        }
    }
}

#[test]
fn a_user_takes_no_file_of_somebody_elses() {
    needs_ordinary_user!();
    let stage = Stage::new();
    let launch = stage.launch(stage.command(PROBE).args(["--pidfile", "/etc/hostname"]));
    let why = "cannot lock /etc/hostname: Permission denied (os error 13)";
    assert_eq!((launch.status, launch.stderr), (1, format!("probe: {why}\n")));
    fs::set_permissions(stage.directory(), Permissions::from_mode(0o555)).expect("a mode");
    let why = format!("no permission to create it in the directory {}", stage.directory().display());
    refused(&stage, &stage.launch(&mut probe(&stage)), &why);
    fs::set_permissions(stage.directory(), Permissions::from_mode(0o755)).expect("a mode");
}

#[test]
fn a_daemon_that_is_killed_leaves_a_number_that_is_no_promise() {
    let stage = Stage::new();
    let daemon = started(&stage);
    daemon.process.signal(Signal::SIGKILL);
    assert!(matches!(daemon.wait(), WaitStatus::Signaled(_, Signal::SIGKILL, _)));
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
    let stopped = PidFile::new(stage.path("pid")).stop(Duration::from_secs(1)).expect("nothing to stop");
    assert_eq!(stopped, Stopped::NotRunning);
}

/// The message names the directory that is at fault, not the file or the directory above.
#[test]
fn a_directory_that_is_not_there_or_not_for_everybody() {
    let stage = Stage::new();
    fs::create_dir(stage.path("run")).expect("create a directory");
    fs::write(stage.path("run/file"), "").expect("write");
    for (path, why) in [
        ("missing/pid", "there is no directory {}/missing"),
        ("run/missing/a/pid", "there is no directory {}/run/missing"),
        ("run/file/pid", "{}/run/file is not a directory"),
        ("run/file/a/pid", "{}/run/file is not a directory"),
    ] {
        for detach in ["always", "never"] {
            let line = format!("probe: cannot lock {{}}/{path}: {why}");
            stage.refuses(probe(&stage).args(["--detach", detach, "--pidfile", path]), &line);
        }
    }
    if is_root() {
        let nobody = unistd::User::from_name("nobody").expect("users").expect("nobody");
        let sticky = stage.path("sticky");
        fs::create_dir_all(sticky.join("of-user")).expect("create a directory");
        fs::set_permissions(&sticky, Permissions::from_mode(0o1777)).expect("change the mode");
        std::os::unix::fs::chown(sticky.join("of-user"), Some(nobody.uid.as_raw()), None).expect("give it away");
        let line = "probe: cannot lock {0}/of-user/pid: users other than root may write in the directory {0}/of-user";
        let line = line.replace("{0}", "{}/sticky");
        stage.refuses(probe(&stage).args(["--pidfile", "sticky/of-user/pid"]), &line);
    }
    needs_ordinary_user!();
    for (mode, why) in [(0o600, "search the directory"), (0o500, "create it in the directory")] {
        fs::set_permissions(stage.path("run"), Permissions::from_mode(mode)).expect("change the mode");
        let line = format!("probe: cannot lock {{}}/run/pid: no permission to {why} {{}}/run");
        stage.refuses(probe(&stage).args(["--pidfile", "run/pid"]), &line);
    }
    fs::set_permissions(stage.path("run"), Permissions::from_mode(0o700)).expect("change the mode");
}

/// From version 4 on, NFS locks only files that are open for writing. Root's file would then stay open for writing
/// after root is given up.
#[test]
fn on_nfs_an_ordinary_user_has_one_and_root_has_none() {
    needs_tools!("setpriv");
    let Some(library) = preload::library("FLOCK_AS_ON_NFS") else { return };
    let stage = Stage::new();
    let why = "its file system, like NFS, only locks files that are open for writing";
    if is_root() {
        stage.refuses(probe(&stage).env("LD_PRELOAD", &library), &format!("probe: cannot lock {{}}/pid: {why}"));
        unistd::chown(stage.directory(), Some(NOBODY.into()), None).expect("give it away");
    }
    stage.open_to_all();
    let [program, library] = [stage.copy(PROBE), stage.copy(library)];
    let probe = || {
        let mut command = stage.command("setpriv");
        if is_root() {
            let nobody = NOBODY.to_string();
            command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]);
        }
        command.arg(&program).args(["--pidfile", "pid"]).env("LD_PRELOAD", &library);
        command
    };
    let daemon = stage.started(probe().args(["--exit-on", "SIGTERM"]));
    refused(&stage, &stage.launch(&mut probe()), &format!("already running as process {}", daemon.process.0));
    let status = stage.launch(probe().args(["--obey", "status"]));
    assert!(
        status.stdout.starts_with(&format!("probe has been running as process {}", daemon.process.0)),
        "{status:?}"
    );
    // It leaves the file behind, and whoever stops it removes the file.
    assert_eq!(stage.launch(probe().args(["--obey", "stop"])).stdout, "probe has ended\n");
    assert!(!stage.path("pid").exists());
    let mut daemon = stage.started(&mut probe());
    daemon.send("exit 0");
    daemon.wait();
    assert!(!stage.path("pid").exists());
}
