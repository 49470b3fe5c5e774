//! What passes between two versions, from outside: each side against one that was written from the description alone. And
//! what looks like it and is none.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{Shutdown, TcpListener},
    os::{
        fd::{AsRawFd, RawFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    process::Command,
};

use daemon_rt::{PidFile, Status};
use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
};
use support::{DEADLINE, Launcher, Process, Stage, eventually};

use super::{Service, content, has_ended, supervisor};
use crate::PROBE;

/// Another implementation of the side of the new program. It is its own daemon, and ends when its pidfile is gone.
const NEW: &str = r#"#!/usr/bin/perl
use strict; use warnings; use IO::Handle; use Socket;
sub note { open(my $notes, '>>', 'notes') or die; print $notes @_, "\n"; }
my ($version, $line, $stderr, $lock) = split / /, $ENV{DAEMON_UPGRADE};
note("version $version, sockets $ENV{LISTEN_FDS}", $ENV{LISTEN_PID} == $$ ? ' for it' : '');
open(my $supervisor, '+<&=', $line) or die; open(my $old, '>>&=', $stderr) or die; open(my $pidfile, '<&=', $lock) or die;
$old->autoflush(1);
my $fork = fork // die; # the new supervisor is not who was executed
if ($fork) { waitpid($fork, 0) while kill(0, $fork); exit }
syswrite $supervisor, pack('l', $$) or die;
sysread($supervisor, my $answer, 1) == 1 or die 'no answer';
note('answered');
open(my $writer, '+<', 'pid') or die;
my @same = map { join ':', (stat $_)[0, 1] } $writer, $pidfile;
note('the pidfile') if $same[0] eq $same[1];
syswrite $writer, sprintf("%-7d\n", $$) =~ s/ /\n/gr or die;
syswrite $supervisor, "\0" or die;
my $end = sysread $supervisor, my $over, 1;
note("over $end");
print $old "said by the new one\n";
sleep 1 while -e 'pid';
"#;

#[test]
fn a_program_that_was_written_from_the_description_takes_over() {
    let service = Service::new();
    let stage = &service.stage;
    let old = service.started(&["--socket", "tcp@3", "--socket", "udp@9"]);
    let old_supervisor = supervisor(&old);
    service.install_script(NEW);
    service.pidfile().upgrade(DEADLINE).expect("an upgrade");
    has_ended(&old);
    eventually("its end", || (!old_supervisor.is_alive()).then_some(()));
    let said = || stage.read("log").ends_with("said by the new one\n").then_some(());
    eventually("the last line", said);
    assert_eq!(stage.read("notes"), "version 1, sockets 2 for it\nanswered\nthe pidfile\nover 0\n");
    let number: i32 = stage.read("pid").trim_end().parse().expect("a number");
    assert_eq!(stage.read("pid"), content(Process(number)));
    assert!(Process(number).is_alive());
    assert!(matches!(service.pidfile().status(), Ok(Status::Running { .. })), "by the lock that it was handed");
}

/// It ends in place of the rest.
#[test]
fn one_that_stops_in_the_middle_changes_nothing() {
    for until in ["sysread($supervisor", "note('answered')", "syswrite $supervisor, \""] {
        let service = Service::new();
        let mut old = service.started(&[]);
        service.install_script(&NEW.replace(until, &format!("exit; {until}")));
        let reason = service.refusal(&mut old);
        // Its end may be seen before its number.
        let reasons = ["the new supervisor ended while it took over", "the new program ended, exit status: 0"];
        assert!(reasons.contains(&reason.as_str()), "{until}: {reason}");
    }
    // A group of processes, and the one that nobody started.
    for number in ["0", "1"] {
        let service = Service::new();
        let mut old = service.started(&[]);
        service.install_script(&NEW.replace("pack('l', $$)", &format!("pack('l', {number})")));
        service.refusal(&mut old);
    }
}

/// It has written its number by then.
#[test]
fn one_that_is_stopped_in_the_middle_is_continued() {
    let service = Service::new();
    let old = service.started(&[]);
    service.install_script(&NEW.replace("syswrite $supervisor, \"", "kill STOP => $$; syswrite $supervisor, \""));
    service.pidfile().upgrade(DEADLINE).expect("an upgrade");
    has_ended(&old);
}

#[test]
fn one_that_stops_itself_again_and_again_is_given_up() {
    let service = Service::new();
    let mut old = service.started(&[]);
    service
        .install_script(&NEW.replace("syswrite $supervisor, \"", "kill STOP => $$ while 1; syswrite $supervisor, \""));
    assert_eq!(service.refusal(&mut old), "the new supervisor did not take over within 10s");
    service.install(PROBE);
    drop(service.upgraded());
}

/// The test in the place of an old supervisor.
struct Old {
    stage: Stage,
    line: UnixStream,
    _stderr: UnixStream,
    lock: File,
    listener: TcpListener,
    launcher: Launcher,
}

/// Numbers above whatever the test has open.
const HANDED: [RawFd; 3] = [200, 201, 202];

fn execute(command: &mut Command, handed: &[(RawFd, RawFd)]) {
    let handed = handed.to_owned();
    let arrange = move || {
        for &(number, fd) in &handed {
            // SAFETY: nobody has these numbers in the child.
            #[allow(unsafe_code)]
            nix::errno::Errno::result(unsafe { libc::dup2(fd, number) })?;
        }
        Ok(())
    };
    // SAFETY: system calls alone.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(arrange)
    };
}

impl Old {
    /// A shell whose number is the program's tells that.
    fn hand_over(variable: &str, options: &str) -> Self {
        let stage = Stage::new();
        let [(line, its_line), (stderr, its_stderr)] = [(); 2].map(|()| UnixStream::pair().expect("a pair"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        fs::write(stage.path("pid"), content(Process::own())).expect("write");
        let lock = File::open(stage.path("pid")).expect("open");
        lock.lock().expect("lock");
        let mut command = stage.command("sh");
        let script = format!("LISTEN_FDS=1 LISTEN_PID=$$ DAEMON_UPGRADE='{variable}' exec {PROBE} {options}");
        command.args(["-c", &script]);
        let handed = [its_line.as_raw_fd(), its_stderr.as_raw_fd(), lock.as_raw_fd()];
        let handed: Vec<_> = HANDED.into_iter().zip(handed).chain([(3, listener.as_raw_fd())]).collect();
        execute(&mut command, &handed);
        let launcher = stage.start(&mut command);
        line.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        Self { stage, line, _stderr: stderr, lock, listener, launcher }
    }
}

const OPTIONS: &str = "--respawn on-failure --pidfile pid --notify --ready --listenfd";

#[test]
fn it_takes_over_from_a_supervisor_that_was_written_from_the_description() {
    let Old { stage, mut line, lock, listener, launcher, .. } = Old::hand_over("1 200 201 202 -", OPTIONS);
    let mut number = [0; 4];
    line.read_exact(&mut number).expect("its number");
    let supervisor = Process(i32::from_ne_bytes(number));
    assert_eq!(stage.read("pid"), content(Process::own()), "not before it may");
    line.write_all(&[0]).expect("an answer");
    line.read_exact(&mut [0]).expect("its word");
    assert_eq!(stage.read("pid"), content(supervisor));
    assert_eq!(locker(&lock, supervisor), supervisor.0, "before the old one gives up its own");
    let launch = launcher.end();
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    let mut daemon = stage.daemon();
    assert_eq!(daemon.process.parent(), supervisor.0);
    let socket = fs::read_link(format!("/proc/thread-self/fd/{}", listener.as_raw_fd())).expect("a socket");
    assert_eq!(daemon.process.descriptor(3), Some(socket));

    // Before it knows that the old daemon has ended, it does not leave.
    daemon.send("exit 0");
    eventually("the end of the daemon", || (!daemon.process.is_alive()).then_some(()));
    assert!(supervisor.is_alive());
    line.write_all(&[0]).expect("a word");
    supervisor.wait();
    assert_eq!(line.read(&mut [0]).expect("the end"), 0);
    assert_eq!(stage.files(), [""; 0]);
}

/// As a lock record, fcntl(2): who keeps anybody from a write lock there.
fn locker(file: &File, named: Process) -> i32 {
    #[allow(unsafe_code)]
    // SAFETY: all zeroes is a valid lock.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    (lock.l_type, lock.l_start, lock.l_len) =
        (libc::c_short::try_from(libc::F_WRLCK).expect("a kind"), named.0.into(), 1);
    fcntl(file, FcntlArg::F_GETLK(&mut lock)).expect("look");
    lock.l_pid
}

#[test]
fn it_ends_where_the_old_supervisor_refuses() {
    let Old { stage, mut line, lock, launcher, .. } = Old::hand_over("1 200 201 202 -", OPTIONS);
    line.read_exact(&mut [0; 4]).expect("its number");
    drop(line);
    assert_ne!(launcher.end().status, 0);
    eventually("the end of all", || stage.processes().is_empty().then_some(()));
    assert_eq!(stage.read("pid"), content(Process::own()));
    drop(lock);
}

#[test]
fn it_ends_where_the_old_supervisor_ends_behind_the_answer() {
    let Old { stage, mut line, lock, launcher, .. } = Old::hand_over("1 200 201 202 -", OPTIONS);
    line.read_exact(&mut [0; 4]).expect("its number");
    drop(lock);
    line.shutdown(Shutdown::Read).expect("hear no more");
    line.write_all(&[0]).expect("an answer");
    assert_ne!(launcher.end().status, 0);
    eventually("the end of all", || stage.processes().is_empty().then_some(()));
    let status = PidFile::new(stage.path("pid")).status();
    assert!(matches!(status, Ok(Status::Stale | Status::Stopped)), "{status:?}");
}

#[test]
fn words_that_are_no_version_1() {
    for (variable, reason) in [
        ("2 200 201 202 -", "it hands over by version 2, and this program knows 1"),
        ("2 200", "it hands over by version 2, and this program knows 1"),
        ("1 200 201 202", "it hands over by version 1, and this program knows 1"),
        ("1 200", "it hands over by version 1, and this program knows 1"),
        ("1 200 201 202 - 203", "it hands over by version 1, and this program knows 1"),
        ("1 200 200 202 -", "cannot take file descriptor 200: it was not inherited, or is taken already"),
        ("1 200 2 202 -", "cannot take file descriptor 2: it is a standard stream; duplicate it instead"),
        ("1 200 201 201 -", "cannot take file descriptor 201: it was not inherited, or is taken already"),
        ("1 200 201 250 -", "cannot take file descriptor 250: it was not inherited, or is taken already"),
        ("1 200 201 202 202", "cannot take file descriptor 202: it was not inherited, or is taken already"),
        ("1 200 201 200 -", "cannot take file descriptor 200: it was not inherited, or is taken already"),
        ("1 200 - - -", "it is held by a process that it does not name"),
        ("1 200 x y z", "it is held by a process that it does not name"),
    ] {
        let Old { stage, launcher, .. } = Old::hand_over(variable, OPTIONS);
        let launch = launcher.end();
        assert_eq!(launch.status, 1, "{variable}");
        assert!(launch.stderr.contains(reason), "{variable}: {}", launch.stderr);
        assert!(stage.no_daemon_reported());
        assert_eq!(stage.read("pid"), content(Process::own()));
    }
}

/// A start like any other.
fn is_no_upgrade(stage: &Stage, command: &mut Command) {
    command.args(["--respawn", "on-failure", "--pidfile", "pid", "--notify", "--ready"]);
    let mut daemon = stage.started(command);
    let launched_by = daemon.sight.get("launched_by");
    assert!(launched_by.starts_with("a shell or a program: "), "{launched_by}");
    assert_eq!(stage.read("pid"), content(supervisor(&daemon)));
    daemon.send("exit 0");
    eventually("the end of all", || stage.processes().is_empty().then_some(()));
}

#[test]
fn a_variable_that_leads_to_no_parent() {
    let stage = Stage::new();
    let (_line, its_line) = UnixStream::pair().expect("a pair");
    let address = TcpListener::bind("127.0.0.1:0").expect("bind");
    let file = stage.create("file");
    for (words, fd) in [
        ("1 200 - - -", None),
        ("1 200 - - -", Some(file.as_raw_fd())),
        ("1 200 - - -", Some(address.as_raw_fd())),
        ("", Some(its_line.as_raw_fd())),
        ("1", Some(its_line.as_raw_fd())),
        ("200", Some(its_line.as_raw_fd())),
        ("1 line - - -", Some(its_line.as_raw_fd())),
        ("1 -1 - - -", Some(its_line.as_raw_fd())),
        ("1 99999999999999999999 - - -", Some(its_line.as_raw_fd())),
        ("1  200 - - -", Some(its_line.as_raw_fd())),
    ] {
        let mut command = stage.command(PROBE);
        let handed: Vec<_> = fd.map(|fd| (200, fd)).into_iter().collect();
        execute(command.env("DAEMON_UPGRADE", words), &handed);
        is_no_upgrade(&stage, &mut command);
    }
    // The pair is that of a process further up.
    let mut shell = stage.command("sh");
    shell.args(["-c", "\"$@\"; exit $?", "sh", PROBE]).env("DAEMON_UPGRADE", "1 200 - - -");
    execute(&mut shell, &[(200, its_line.as_raw_fd())]);
    is_no_upgrade(&stage, &mut shell);
}

#[test]
fn a_caller_of_a_set_user_id_program_is_no_supervisor() {
    let stage = Stage::new();
    let Some(program) = stage.copy_with_mode(PROBE, 0o4755) else { return };
    let (_line, its_line) = UnixStream::pair().expect("a pair");
    let mut command = stage.command_of_nobody(&program);
    execute(command.env("DAEMON_UPGRADE", "1 200 - - -"), &[(200, its_line.as_raw_fd())]);
    is_no_upgrade(&stage, &mut command);
}
