//! A daemon that is started again when it has ended, and a new version that takes over from the old one.

use std::{
    fs::{self, Permissions},
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    thread,
};

use nix::sys::signal::Signal;
use support::{Daemon, Process, Stage, within};

use crate::{
    pidfile::{self, is_removed, path},
    program::{Program, SOON, WATCH, ends, main_begins, nobody_is_left, stage},
    verdict::{Objection, Verdict, judge, met, met_without, not_met},
};

const RESPAWN: [&str; 2] = ["--respawn", "on-failure"];

/// Two starts within a minute, and then no more.
const TWICE: [&str; 2] = ["--respawn", "on-failure,2,60000,1,1"];

pub(crate) fn after_a_kill(program: &Program) -> Verdict {
    let stage = stage();
    again(program, &stage)?;
    met("main begins again")
}

/// A daemon that was killed, and started again.
fn again(program: &Program, stage: &Stage) -> Result<Daemon, Objection> {
    let daemon = program.starts(stage, &[], &RESPAWN)?;
    daemon.process.signal(Signal::SIGKILL);
    main_begins(stage).or_else(|_| not_met("main does not begin again"))
}

pub(crate) fn not_after_a_success(program: &Program) -> Verdict {
    let stage = stage();
    let mut daemon = again(program, &stage)?;
    daemon.send("return");
    if !ends(daemon.process) {
        return not_met("it does not end");
    }
    if stage.daemon_within(WATCH).is_some() {
        return not_met("main begins again");
    }
    let is_over = nobody_is_left(&stage);
    judge(is_over, if is_over { "nobody is left" } else { "a process is left" })
}

pub(crate) fn gives_up(program: &Program) -> Verdict {
    let stage = stage();
    let mut daemon = program.starts(&stage, &[], &TWICE)?;
    for starts in 0..10 {
        daemon.process.signal(Signal::SIGKILL);
        match main_begins(&stage) {
            Ok(again) => daemon = again,
            Err(_) if nobody_is_left(&stage) => return judge(starts > 0, "nobody is left"),
            Err(_) => return not_met("its supervisor stays"),
        }
    }
    not_met("it does not")
}

pub(crate) fn one_instance(program: &Program) -> Verdict {
    let stage = stage();
    let (daemon, supervisor) = pidfile::starts_with(program, &stage, &RESPAWN)?;
    supervisor.signal(Signal::SIGKILL);
    if !ends(supervisor) {
        return not_met("its supervisor cannot be killed");
    }
    let _second = program.launch(&stage, &[&["--pidfile", &path(&stage)], &RESPAWN[..]].concat())?;
    let begins = stage.daemon_within(WATCH).is_some();
    let objections = [(begins && daemon.process.is_alive()).then_some("the first one runs on beside a second")];
    met_without(&objections, "one runs")
}

pub(crate) fn ends_with_it(program: &Program) -> Verdict {
    let stage = stage();
    let (_daemon, supervisor) = pidfile::starts_with(program, &stage, &RESPAWN)?;
    supervisor.signal(Signal::SIGTERM);
    if !nobody_is_left(&stage) {
        return not_met("a process is left");
    }
    is_removed(&stage)
}

/// Clients that connect to a daemon all the time.
struct Clients {
    port: u16,
    refusals: AtomicU32,
}

impl Clients {
    fn of(stage: &Stage) -> Result<Self, Objection> {
        // If it does not listen, it reports instead.
        let port = within(SOON, || match stage.read("port").parse() {
            Err(_) if stage.no_daemon_reported() => None,
            port => Some(port.ok()),
        });
        let port = port.flatten().map_or_else(|| not_met("it does not listen"), Ok)?;
        Ok(Self { port, refusals: AtomicU32::new(0) })
    }

    /// Who answers.
    fn ask(&self, path: &str) -> io::Result<String> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
        connection.set_read_timeout(Some(SOON))?;
        write!(connection, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(body.to_owned())
    }

    /// Asks until another one answers than that.
    fn ask_until_another_answers(&self, first: &str) -> bool {
        let another = within(SOON, || match self.ask("/") {
            Ok(answer) if answer != first => Some(()),
            Ok(_) => None,
            Err(_) => {
                self.refusals.fetch_add(1, SeqCst);
                None
            }
        });
        another.is_some()
    }

    fn verdict(&self, is_answered: bool) -> Verdict {
        let objections = [
            (!is_answered).then_some("no other one answers"),
            (self.refusals.load(SeqCst) > 0).then_some("connections are refused"),
        ];
        met_without(&objections, "no connection is refused")
    }
}

/// By that option.
fn serves(program: &Program, stage: &Stage, how: &str) -> Result<(Clients, String), Objection> {
    let (file, port) = (path(stage), stage.path("port").display().to_string());
    let options = [&["--pidfile", &file, how, &port], &RESPAWN[..]].concat();
    let launch = program.launch(stage, &options)?;
    if launch.status != 0 {
        return not_met("it does not start");
    }
    let clients = Clients::of(stage)?;
    let first = within(SOON, || clients.ask("/").ok()).map_or_else(|| not_met("it does not answer"), Ok)?;
    Ok((clients, first))
}

pub(crate) fn connections_wait(program: &Program) -> Verdict {
    let stage = stage();
    let (clients, first) = serves(program, &stage, "--serve")?;
    // Its supervisor takes some time to start it again.
    let supervisor = pidfile::named(&stage)?;
    supervisor.signal(Signal::SIGSTOP);
    let _crash = clients.ask("/crash");
    let is_refused = TcpStream::connect(("127.0.0.1", clients.port)).is_err();
    supervisor.signal(Signal::SIGCONT);
    let is_answered = clients.ask_until_another_answers(&first);
    if is_refused { not_met("connections are refused") } else { clients.verdict(is_answered) }
}

/// Puts another file in the place of a program, as an installation does.
fn install(stage: &Stage, program: &Path, new: &Path) -> u64 {
    let place = stage.path("new");
    // A child copies: see `Stage::copy`.
    assert!(Command::new("cp").arg(new).arg(&place).status().expect("start cp").success(), "cp");
    fs::set_permissions(&place, Permissions::from_mode(0o755)).expect("set a mode");
    let number = fs::metadata(&place).expect("its inode").ino();
    fs::rename(place, program).expect("rename");
    number
}

fn executable(Process(id): Process) -> Option<u64> {
    fs::metadata(format!("/proc/{id}/exe")).ok().map(|file| file.ino())
}

pub(crate) fn takes_over(program: &Program) -> Verdict {
    let stage = stage();
    let (program, file) = program.copied_to(&stage)?;
    let (old, _) = pidfile::starts_with(&program, &stage, &RESPAWN)?;
    let version = install(&stage, &file, &file);
    let launch = program.launch(&stage, &["--pidfile", &path(&stage), "--obey", "upgrade"])?;
    let new = stage.daemon_within(SOON);
    let objections = [
        (launch.status != 0).then_some("the command fails"),
        new.is_none_or(|new| executable(new.process) != Some(version)).then_some("the new version does not run"),
        (!ends(old.process)).then_some("the old one stays"),
    ];
    met_without(&objections, "the new version runs, and the old one has ended")
}

/// The new version takes some time to begin. The old one answers the connections that it has before it ends: otherwise
/// it could be ended in the middle of an answer, and that would count as a refusal.
pub(crate) fn no_connection_is_refused(program: &Program) -> Verdict {
    let stage = stage();
    let (program, file) = program.copied_to(&stage)?;
    let (clients, first) = serves(&program, &stage, "--serve-gracefully")?;
    let version = stage.path("version");
    install(&stage, &version, &file);
    let script = format!("#!/bin/sh\nsleep 0.5\nexec '{}' \"$@\"\n", version.display());
    fs::write(stage.path("slow"), script).expect("write a script");
    install(&stage, &file, &stage.path("slow"));
    let is_answered = thread::scope(|scope| {
        let asking = scope.spawn(|| clients.ask_until_another_answers(&first));
        program.launch(&stage, &["--pidfile", &path(&stage), "--obey", "upgrade"])?;
        Ok::<_, Objection>(asking.join().unwrap_or(false))
    })?;
    clients.verdict(is_answered)
}

pub(crate) fn failing_version(program: &Program) -> Verdict {
    let stage = stage();
    let (program, file) = program.copied_to(&stage)?;
    let (mut old, _) = pidfile::starts_with(&program, &stage, &RESPAWN)?;
    fs::write(stage.path("failing"), "#!/bin/sh\nexit 3\n").expect("write a script");
    install(&stage, &file, &stage.path("failing"));
    let launch = program.launch(&stage, &["--pidfile", &path(&stage), "--obey", "upgrade"])?;
    let has_ended = within(WATCH, || (!old.process.is_alive()).then_some(())).is_some();
    if has_ended {
        return not_met("the old one has ended");
    }
    old.ask("variable PATH");
    if launch.status == 0 { not_met("exit status 0") } else { met("the old one answers, and the command fails") }
}
