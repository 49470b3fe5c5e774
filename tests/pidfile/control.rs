//! Looking at a daemon, signalling and stopping it, by its pidfile.

use std::{
    fs::{self, File},
    io::Write,
    os::fd::AsFd,
    process::{self, Command},
    thread,
    time::{Duration, Instant, SystemTime},
};

use daemon_rt::{PidFile, Status, Stopped};
use nix::{
    fcntl::{Flock, FlockArg},
    libc,
    sys::{signal::Signal, wait::WaitStatus},
    unistd::gettid,
};
use support::{DEADLINE, Daemon, Stage, eventually, skip, within};

use crate::PROBE;

fn started(stage: &Stage, options: &[&str]) -> (Daemon, PidFile) {
    let launch = stage.launch(stage.command(PROBE).args(["--pidfile", "pid"]).args(options));
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    (stage.daemon(), PidFile::new(stage.path("pid")))
}

/// Ends what it is about, and tells how it ended.
fn end(daemon: &mut Daemon) {
    daemon.send("exit 0");
    daemon.wait();
}

#[test]
fn status_tells_what_is() {
    let stage = Stage::new();
    let before = SystemTime::now() - Duration::from_secs(1);
    assert_eq!(PidFile::new(stage.path("pid")).status().expect("a status"), Status::Stopped, "no file");
    let (mut daemon, pidfile) = started(&stage, &[]);
    let Ok(Status::Running { pid, since, .. }) = pidfile.status() else { panic!("{:?}", pidfile.status()) };
    assert_eq!(pid, daemon.process.0.unsigned_abs());
    assert!(before <= since && since <= SystemTime::now() + Duration::from_secs(1), "{since:?}");
    end(&mut daemon);
    assert_eq!(pidfile.status().expect("a status"), Status::Stopped);
    File::create(stage.path("pid")).expect("an empty file");
    assert_eq!(pidfile.status().expect("a status"), Status::Stopped, "empty and unlocked");
    fs::write(stage.path("pid"), "4000000\n").expect("write");
    assert_eq!(pidfile.status().expect("a status"), Status::Stale);
}

#[test]
fn status_knows_a_start_that_is_under_way() {
    let stage = Stage::new();
    let _held = Flock::lock(stage.create("pid"), FlockArg::LockExclusiveNonblock).expect("a lock");
    assert_eq!(PidFile::new(stage.path("pid")).status().expect("a status"), Status::Starting);
}

/// A start holds the lock for a moment before it erases the number of the last daemon.
#[test]
fn status_is_not_confused_by_a_number_that_is_about_to_go() {
    let stage = Stage::new();
    fs::write(stage.path("pid"), "4000000\n").expect("write");
    let file = File::options().read(true).write(true).open(stage.path("pid")).expect("open");
    let held = Flock::lock(file, FlockArg::LockExclusiveNonblock).expect("a lock");
    thread::scope(|scope| {
        let status = scope.spawn(|| PidFile::new(stage.path("pid")).status());
        thread::sleep(Duration::from_millis(20)); // of the 100 ms that it may take
        held.set_len(0).expect("empty it");
        assert_eq!(status.join().expect("a status").expect("a status"), Status::Starting);
    });
}

#[test]
fn a_signal_reaches_the_daemon() {
    let stage = Stage::new();
    let (daemon, pidfile) = started(&stage, &[]);
    pidfile.signal(libc::SIGUSR1).expect("a signal");
    assert!(matches!(daemon.wait(), WaitStatus::Signaled(_, Signal::SIGUSR1, _)));
    let error = pidfile.signal(libc::SIGUSR1).expect_err("nobody is there");
    assert_eq!(format!("{error:#}"), format!("no running daemon holds {}", stage.path("pid").display()));
}

#[test]
fn a_signal_waits_for_a_start_that_is_under_way() {
    let stage = Stage::of_the_process();
    let held = Flock::lock(stage.create("pid"), FlockArg::LockExclusiveNonblock).expect("a lock");
    thread::scope(|scope| {
        let signal = scope.spawn(|| PidFile::new(stage.path("pid")).signal(libc::SIGCONT));
        thread::sleep(Duration::from_millis(50));
        writeln!(&*held, "{}", process::id()).expect("write who holds it");
        signal.join().expect("a thread").expect("a signal");
    });
}

#[test]
fn a_signal_that_is_none_is_an_error() {
    let stage = Stage::new();
    let (mut daemon, pidfile) = started(&stage, &[]);
    let error = pidfile.signal(1000).expect_err("no signal");
    assert_eq!(
        format!("{error:#}"),
        format!("cannot signal process {}: Invalid argument (os error 22)", daemon.process.0)
    );
    end(&mut daemon);
}

#[test]
fn stop_returns_when_the_process_has_ended() {
    let stage = Stage::new();
    let (daemon, pidfile) = started(&stage, &[]);
    assert_eq!(pidfile.stop(Duration::from_secs(10)).expect("a stop"), Stopped::Terminated);
    assert!(!daemon.process.is_alive());
    assert!(matches!(daemon.wait(), WaitStatus::Signaled(_, Signal::SIGTERM, _)));
    assert_eq!(pidfile.stop(Duration::from_secs(10)).expect("nothing to stop"), Stopped::NotRunning);
}

#[test]
fn stop_says_when_it_had_to_kill() {
    let stage = Stage::new();
    let (daemon, pidfile) = started(&stage, &["--ignore-signal", "SIGTERM"]);
    let start = Instant::now();
    assert_eq!(pidfile.stop(Duration::from_millis(200)).expect("a stop"), Stopped::Killed);
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert!(matches!(daemon.wait(), WaitStatus::Signaled(_, Signal::SIGKILL, _)));
}

#[test]
fn stop_waits_for_a_daemon_that_takes_its_time() {
    let stage = Stage::new();
    let (mut daemon, pidfile) = started(&stage, &["--block-signal", "SIGTERM"]);
    thread::scope(|scope| {
        let stop = scope.spawn(|| pidfile.stop(Duration::MAX));
        let is_pending = || daemon.process.status("ShdPnd")?.ends_with("4000").then_some(());
        eventually("SIGTERM at the daemon", is_pending);
        assert!(!stop.is_finished());
        daemon.send("exit 0");
        assert_eq!(stop.join().expect("a stop").expect("a stop"), Stopped::Terminated);
    });
    daemon.wait();
}

#[test]
fn reload_reaches_who_handles_it_and_spares_who_would_die() {
    let stage = Stage::new();
    let (mut daemon, pidfile) = started(&stage, &[]);
    let error = pidfile.reload().expect_err("it would die");
    let id = daemon.process.0;
    assert_eq!(format!("{error:#}"), format!("cannot reload process {id}: it would end on SIGHUP"));
    daemon.look();
    end(&mut daemon);

    for option in ["--ignore-signal", "--block-signal", "--handle-signal"] {
        let (mut daemon, pidfile) = started(&stage, &[option, "SIGHUP"]);
        pidfile.reload().expect("a reload");
        daemon.look();
        end(&mut daemon);
    }
}

/// In a start every signal is blocked, and would end the daemon when the start is over. Between two daemons, nobody knows
/// yet what the next one does with it.
#[test]
fn reload_spares_a_daemon_that_is_starting() {
    let stage = Stage::new();
    let pidfile = PidFile::new(stage.path("pid"));
    let reload_until_it_reports = || {
        let daemon = within(DEADLINE, || {
            let _ = pidfile.reload();
            stage.daemon_within(Duration::ZERO)
        });
        daemon.expect("a reload ended it")
    };
    for options in [&[][..], &["--notify", "--ready"], &["--respawn", "on-failure,1000,60000,1,1"]] {
        for _ in 0..10 {
            let launcher = stage.start(stage.command(PROBE).args(["--pidfile", "pid"]).args(options));
            let mut daemon = reload_until_it_reports();
            assert_eq!(launcher.end().status, 0);
            if options.contains(&"--respawn") {
                daemon.send("crash");
                daemon = reload_until_it_reports();
            }
            assert!(!daemon.look().get("pid").is_empty(), "it lives on");
            pidfile.stop(DEADLINE).expect("a stop");
        }
    }
}

/// Whatever a held file contains, no signal is sent if its holder is not the process that it names.
#[test]
fn a_number_alone_gets_nobody_signalled() {
    let stage = Stage::new();
    let mut bystander = stage.command("sleep").arg("1000").spawn().expect("start");
    let number = format!("{}\n", bystander.id());
    let thread = format!("{}\n", gettid()); // the tests run in threads: a number, but not a process's
    let pidfile = PidFile::new(stage.path("pid"));
    assert_eq!(pidfile.path(), stage.path("pid"));
    let malformed = "it holds something other than a process id";
    let unheld = format!("process {}, which it names, does not hold it open", bystander.id());
    for (content, why) in [
        ("0\n", malformed),
        ("-1\n", malformed),
        ("1\n", "process 1, which it names, cannot be seen to hold it open"),
        ("12x\n", malformed),
        ("+12\n", malformed),
        (" 12\n", malformed),
        ("12\n\n", "process 12, which it names, has ended"), // as of a supervisor
        (&format!("0{number}"), malformed),
        (&format!("{:016}x", bystander.id()), malformed),
        ("\n", malformed),
        ("99999999999\n", malformed),
        ("", "it names no process yet"),
        (&"1".repeat(1 << 20), malformed),
        (&number, &unheld),
        ("4000000\n", "process 4000000, which it names, has ended"),
        (&thread, &format!("process {}, which it names, has ended", thread.trim_end())),
    ] {
        fs::write(stage.path("pid"), content).expect("write");
        let status = pidfile.stop(Duration::from_secs(1)).expect("unlocked");
        assert_eq!(status, Stopped::NotRunning, "unlocked: {content:.20}");

        let file = File::options().read(true).write(true).open(stage.path("pid")).expect("open");
        let held = Flock::lock(file, FlockArg::LockExclusiveNonblock).expect("a lock");
        for result in
            [pidfile.stop(Duration::from_secs(1)).map(|_| ()), pidfile.signal(libc::SIGTERM), pidfile.reload()]
        {
            let error = result.expect_err("nobody holds it");
            let line = format!("cannot tell who holds {}: {why}", stage.path("pid").display());
            assert_eq!(format!("{error:#}"), line, "{content:.20}");
        }
        assert!(held.as_fd().try_clone_to_owned().is_ok());
        assert!(bystander.try_wait().expect("wait").is_none(), "the bystander was signalled: {content:.20}");
    }
    bystander.kill().and_then(|()| bystander.wait()).expect("end the bystander");
}

#[test]
fn other_tools_understand_the_file() {
    let stage = Stage::new();
    let tool = |program: &str, arguments: &[&str]| {
        stage.command(program).args(arguments).status().map(|status| status.code()).ok().flatten()
    };
    let kill = |stage: &Stage| tool("sh", &["-c", &format!("kill $(cat {})", stage.path("pid").display())]);
    let (daemon, _) = started(&stage, &[]);
    assert_eq!(kill(&stage), Some(0));
    daemon.wait();

    if tool("pkill", &["--version"]).is_none() {
        return skip("pkill");
    }
    let (daemon, _) = started(&stage, &[]);
    assert_eq!(tool("pkill", &["-F", "pid"]), Some(0));
    daemon.wait();

    if tool("start-stop-daemon", &["--version"]).is_none() {
        return skip("start-stop-daemon");
    }
    let (daemon, _) = started(&stage, &[]);
    assert_eq!(tool("start-stop-daemon", &["--status", "--pidfile", "pid"]), Some(0));
    assert_eq!(tool("start-stop-daemon", &["--stop", "--quiet", "--pidfile", "pid", "--exec", PROBE]), Some(0));
    daemon.wait();
    assert_eq!(tool("start-stop-daemon", &["--status", "--pidfile", "pid"]), Some(3), "not running");
    let (daemon, _) = started(&stage, &[]);
    daemon.process.signal(Signal::SIGKILL);
    daemon.wait();
    assert_eq!(tool("start-stop-daemon", &["--status", "--pidfile", "pid"]), Some(1), "dead, and the file exists");
}

#[test]
fn files_that_other_tools_left_are_taken_over() {
    let stage = Stage::new();
    let pidfile = PidFile::new(stage.path("pid"));
    let mut command = Command::new("start-stop-daemon");
    command.args(["--start", "--background", "--make-pidfile", "--pidfile"]).arg(stage.path("pid"));
    let Ok(made) = command
        .args(["--startas", "/bin/sleep", "--", "1000"])
        .env("PROBE_SOCKET", stage.path("probe.socket"))
        .status()
    else {
        return skip("start-stop-daemon");
    };
    assert!(made.success());
    eventually("their number", || stage.read("pid").ends_with('\n').then_some(()));
    assert_eq!(pidfile.status().expect("a status"), Status::Stale, "nobody holds it");
    assert_eq!(pidfile.stop(Duration::from_secs(1)).expect("nothing to stop"), Stopped::NotRunning);
    eventually("their process, which may be in its exec", || (stage.processes().len() == 1).then_some(()));
    let (mut daemon, _) = started(&stage, &[]);
    assert_eq!(stage.read("pid"), format!("{}\n", daemon.process.0));
    end(&mut daemon);
}
