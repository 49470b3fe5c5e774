//! The examples, as a person at a shell starts, watches and stops them.

use std::{
    fs::{self, Permissions},
    io::{self, Read},
    net::{SocketAddr, TcpStream},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use nix::{
    fcntl::{Flock, FlockArg},
    libc::EADDRINUSE,
    sys::{signal::Signal, wait::WaitStatus},
    unistd::User,
};
use support::{DEADLINE, Launch, Process, Stage, Terminal, eventually, http, needs_root};

use crate::{PROBE, cargo::example};

/// The user who has nothing.
const NOBODY: u32 = 65534;

#[test]
fn hello() {
    let stage = Stage::new();
    start(&stage, "hello");
    let daemon = the_daemon(&stage);
    assert_eq!(lines(&stage, "hello.log", 1), [format!("hello from process {}", daemon.0)]);
    stop_by_default_action(daemon);
}

#[test]
fn clock() {
    let stage = Stage::new();
    let before = Timestamp::now().as_second();
    start(&stage, "clock");
    let daemon = the_daemon(&stage);
    assert_eq!(executable(daemon), example("clock"));

    let lines = lines(&stage, "clock.log", 3);
    let times: Vec<_> = lines.iter().map(|line| compact_time(line)).collect();
    assert_once_a_second(&times, before);
    stop_by_default_action(daemon);
}

#[test]
fn counter() {
    let stage = Stage::new();
    let before = Timestamp::now().as_second();
    start(&stage, "counter");

    let lines = lines(&stage, "counter.log", 6);
    let (first, rest) = lines.split_first().expect("a line");
    let daemon = Process(first.strip_prefix("Daemon started with pid ").expect(first).parse().expect(first));
    assert_eq!(executable(daemon), example("counter"));
    assert_eq!(rest[..2], ["This line went to standard output", "This line went to standard error"]);
    let times: Vec<_> = rest[2..].iter().zip(1..).map(|(line, count)| numbered_time(line, count)).collect();
    assert_once_a_second(&times, before);
    stop_by_default_action(daemon);
}

#[test]
fn logging() {
    let stage = Stage::new();
    start(&stage, "logging");
    let daemon = the_daemon(&stage);
    let lines = eventually("a job that is given up", || {
        Some(lines(&stage, "logging.log", 5)).filter(|lines| lines.iter().any(|line| line.contains("given up")))
    });
    let event = |text: &str| {
        let at = lines.iter().position(|line| line.ends_with(text));
        at.unwrap_or_else(|| panic!("no {text} in {lines:#?}"))
    };
    let started = event(&format!(" INFO logging: started process={}", daemon.0));
    let (by_log, failed) = (event(" INFO logging: job 1"), event("job 3 cannot be done"));
    let given_up = event(" WARN logging: given up job=3");
    assert!(started < by_log && by_log < failed && failed < given_up, "{lines:#?}");
    assert!(lines[failed - 1].contains(" ERROR logging: panicked at examples/logging/main.rs:"), "{lines:#?}");
    assert!(lines[failed..given_up].iter().any(|line| line.contains("logging::do_job")), "no backtrace: {lines:#?}");
    assert!(lines.iter().all(|line| !line.contains('\u{1b}')), "{lines:#?}");

    fs::rename(stage.path("logging.log"), stage.path("logging.log.1")).expect("rename");
    daemon.signal(Signal::SIGHUP);
    eventually("an event in the new log", || stage.read("logging.log").contains(" INFO logging: job ").then_some(()));
    daemon.signal(Signal::SIGTERM);
    assert!(matches!(daemon.wait(), WaitStatus::Exited(_, 0)));
    assert!(stage.read("logging.log").ends_with(" INFO logging: stopped\n"));
}

#[test]
fn logging_is_coloured_on_a_terminal() {
    let stage = Stage::new();
    let mut terminal = Terminal::open();
    let mut command = stage.command(env!("CARGO_BIN_EXE_arrange"));
    command.arg("--terminal").arg(&terminal.path).arg("--").arg(example("logging")).arg("--foreground");
    let mut child = command.spawn().expect("start the example");
    let shown = terminal.read_until("job 1");
    assert!(shown.contains("\u{1b}[32m INFO\u{1b}[0m"), "{shown:?}");
    child.kill().and_then(|()| child.wait()).expect("end the example");
    assert_eq!(stage.files(), [""; 0]);
}

#[test]
fn setup_serves_as_soon_as_the_launcher_has_exited() {
    let stage = Stage::new();
    assert_silent_success(&listen(&stage, "127.0.0.1:0"));
    let (daemon, address) = listener(&stage.read("setup.log"));
    assert_eq!(daemon, the_daemon(&stage));
    assert_eq!(get(address), GREETING);

    daemon.signal(Signal::SIGTERM);
    assert!(matches!(daemon.wait(), WaitStatus::Exited(_, 0)));
}

#[test]
fn setup_tells_the_terminal_that_the_port_is_taken() {
    let stage = Stage::new();
    assert_silent_success(&listen(&stage, "127.0.0.1:0"));
    let (daemon, address) = listener(&stage.read("setup.log"));

    let second = Stage::new();
    let launch = listen(&second, &address.to_string());
    let error = io::Error::from_raw_os_error(EADDRINUSE);
    assert_eq!(launch.stderr, format!("setup: cannot listen on {address}: {error}\n"));
    assert_eq!((launch.status, launch.stdout.as_str()), (1, ""));
    assert_eq!((second.processes(), second.files()), (vec![], vec![]));
    assert!(daemon.is_alive());
}

#[test]
fn setup_answers_what_was_asked_before_sigterm() {
    let stage = Stage::new();
    assert_silent_success(&listen(&stage, "127.0.0.1:0"));
    let (daemon, address) = listener(&stage.read("setup.log"));
    let mut connection = connect(address).expect("connect");
    http::begin(&mut connection, "/");
    get(address); // connections are accepted in turn: the first one is in the program's hands now

    daemon.signal(Signal::SIGTERM);
    eventually("the end of the listener", || connect(address).err());
    assert!(daemon.is_alive());
    assert_eq!(http::finish(connection), GREETING);
    assert!(matches!(daemon.wait(), WaitStatus::Exited(_, 0)));
    assert_eq!(stage.read("setup.log").lines().last(), Some("every request is answered"));
}

#[test]
fn setup_stays_in_the_foreground() {
    let stage = Stage::new();
    let mut command = stage.command(example("setup"));
    command.args(["--foreground", "--listen", "127.0.0.1:0"]).stdout(stage.create("terminal"));
    let mut child = command.spawn().expect("start the example");
    let (process, address) = listener(&lines(&stage, "terminal", 1)[0]);
    assert_eq!(u32::try_from(process.0), Ok(child.id()));
    assert_eq!(get(address), GREETING);
    assert_eq!(stage.files(), ["terminal"]);

    process.signal(Signal::SIGTERM);
    let status = eventually("the end of the program", || child.try_wait().expect("wait for the program"));
    assert_eq!(status.code(), Some(0));
}

#[test]
fn setup_explains_its_arguments() {
    let stage = Stage::new();
    let help = stage.launch(stage.command(example("setup")).arg("--help"));
    assert_eq!((help.status, help.stderr.as_str()), (0, ""));
    assert!(help.stdout.contains("--foreground") && help.stdout.contains("--listen"), "{}", help.stdout);

    let mistake = stage.launch(stage.command(example("setup")).arg("--forground"));
    assert_eq!((mistake.status, mistake.stdout.as_str()), (2, ""));
    assert!(mistake.stderr.starts_with("error: unexpected argument '--forground' found\n"), "{}", mistake.stderr);
    assert_eq!((stage.processes(), stage.files()), (vec![], vec![]));
}

#[test]
fn control_starts_one_instance() {
    let stage = Stage::new();
    let daemon = started(&stage);
    assert_eq!(stage.read("control.pid"), format!("{}\n", daemon.0));
    assert_eq!(stage.read("control.log"), "started\n");
    for command in ["start", "run"] {
        let line = format!("already running as process {}", daemon.0);
        assert_failure(
            &control(&stage, command),
            &format!("cannot lock {}: {line}", stage.path("control.pid").display()),
        );
    }
    assert_eq!(stage.processes(), [daemon]);
    assert_eq!(stage.read("control.log"), "started\n");
}

#[test]
fn control_tells_its_status() {
    let stage = Stage::new();
    let status = |status, text: &str| {
        let launch = control(&stage, "status");
        assert_eq!((launch.status, launch.stdout, launch.stderr), (status, format!("{text}\n"), String::new()));
    };
    status(3, "control is not running");

    let before = Timestamp::now().as_second();
    let daemon = started(&stage);
    let launch = control(&stage, "status");
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    let line = format!("control has been running as process {} since ", daemon.0);
    let since: Timestamp = launch.stdout.strip_prefix(&line).expect(&launch.stdout).trim_end().parse().expect("a time");
    assert!((before..=Timestamp::now().as_second()).contains(&since.as_second()), "{since}");
    assert_eq!(launch.stdout, format!("{line}{since:.0}\n"));

    daemon.signal(Signal::SIGKILL);
    daemon.wait();
    let pidfile = stage.path("control.pid").display().to_string();
    status(1, &format!("control is not running, and left {pidfile} behind"));

    fs::remove_file(stage.path("control.pid")).expect("remove the pidfile");
    let starting = Flock::lock(stage.create("control.pid"), FlockArg::LockExclusiveNonblock).expect("a lock");
    status(0, "control is starting");
    drop(starting);

    fs::remove_file(stage.path("control.pid")).expect("remove the pidfile");
    stage.create_directory("control.pid");
    let why = format!("cannot open {pidfile}: it is not a regular file");
    status(4, &format!("cannot tell whether control is running: {why}"));
}

#[test]
fn control_runs_in_the_foreground() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let stage = Stage::new();
        let mut command = stage.command(example("control"));
        let mut child = command.arg("run").stdout(stage.create("terminal")).spawn().expect("start the example");
        let process = Process(i32::try_from(child.id()).expect("a process id"));
        assert_eq!(lines(&stage, "terminal", 1), ["started"]);
        assert_eq!(stage.read("control.pid"), format!("{}\n", process.0));
        assert_silent_success(&control(&stage, "reload"));
        assert_eq!(lines(&stage, "terminal", 2), ["started", "read the configuration"]);

        process.signal(signal);
        let status = eventually("the end of the program", || child.try_wait().expect("wait for the program"));
        assert_eq!(status.code(), Some(0));
        assert_eq!(lines(&stage, "terminal", 3)[2], "stopped");
        assert_eq!(stage.files(), ["terminal"]);
    }
}

#[test]
fn control_stops_and_waits_for_the_end() {
    let stage = Stage::new();
    let daemon = started(&stage);
    assert_success(&control(&stage, "stop"), "control has ended");
    assert!(!daemon.is_alive());
    assert!(matches!(daemon.wait(), WaitStatus::Exited(_, 0)));
    assert_eq!(stage.files(), ["control.log"]);
    assert_eq!(stage.read("control.log"), "started\nstopped\n");
    assert_success(&control(&stage, "stop"), "control was not running");
}

#[test]
fn control_says_when_it_had_to_kill() {
    let stage = Stage::new();
    let daemon = started(&stage);
    daemon.signal(Signal::SIGSTOP); // it takes no notice of SIGTERM
    assert_success(&control(&stage, "stop"), "control did not end within 10s, and was killed");
    assert!(matches!(daemon.wait(), WaitStatus::Signaled(_, Signal::SIGKILL, _)));
    assert_eq!(stage.files(), ["control.log"]);
}

#[test]
fn control_restarts() {
    let stage = Stage::new();
    assert_success(&control(&stage, "restart"), "control was not running");
    let first = the_daemon(&stage);
    assert_success(&control(&stage, "restart"), "control has ended");
    assert!(!first.is_alive());
    let second = the_daemon(&stage);
    assert_ne!(first, second);
    assert_eq!(stage.read("control.pid"), format!("{}\n", second.0));
    assert_eq!(stage.read("control.log"), "started\nstopped\nstarted\n");
}

#[test]
fn control_needs_its_configuration_only_to_start() {
    let stage = Stage::new();
    let write = |text: &str| fs::write(stage.path("greeting"), text).expect("write the configuration");
    let control =
        |command: &str| stage.launch(stage.command(example("control")).args([command, "--config", "greeting"]));
    write("good morning");
    assert_silent_success(&control("start"));
    let daemon = the_daemon(&stage);
    assert_eq!(stage.read("control.log"), "good morning\n");

    write("");
    let why = format!("there is no greeting in {}", stage.path("greeting").display());
    assert_failure(&control("restart"), &why);
    assert_eq!(stage.processes(), [daemon]);
    assert_silent_success(&control("reload"));
    assert_eq!(lines(&stage, "control.log", 2), ["good morning", why.as_str()]);
    let status = control("status");
    assert_eq!((status.status, status.stderr.as_str()), (0, ""), "{}", status.stdout);

    write("good evening");
    assert_success(&control("restart"), "control has ended");
    assert_eq!(lines(&stage, "control.log", 4)[2..], ["stopped", "good evening"]);
    write("");
    assert_success(&control("stop"), "control has ended");
    assert_failure(&control("start"), &why);
    assert_eq!(stage.files(), ["control.log", "greeting"]);
}

#[test]
fn control_reloads() {
    let stage = Stage::new();
    let why = format!("no running daemon holds {}", stage.path("control.pid").display());
    assert_failure_with(7, &control(&stage, "reload"), &why);
    let daemon = started(&stage);
    assert_silent_success(&control(&stage, "reload"));
    assert_eq!(lines(&stage, "control.log", 2), ["started", "read the configuration"]);
    assert_eq!(the_daemon(&stage), daemon);
}

#[test]
fn control_spares_a_daemon_that_a_reload_would_end() {
    let stage = Stage::new();
    assert_silent_success(&stage.launch(stage.command(PROBE).args(["--pidfile", "control.pid"])));
    let mut daemon = stage.daemon();
    let why = format!("cannot reload process {}: it would end on SIGHUP", daemon.process.0);
    assert_failure_with(3, &control(&stage, "reload"), &why);
    daemon.look();
}

#[test]
fn control_says_what_a_user_may_not_stop() {
    needs_root!();
    let stage = Stage::new();
    let daemon = started(&stage);
    stage.open_to_all();
    let control = stage.copy(example("control"));
    for command in ["stop", "restart", "reload"] {
        let launch = stage.launch(stage.command(&control).arg(command).uid(NOBODY).gid(NOBODY));
        let pidfile = stage.path("control.pid");
        let why = format!("cannot open {}: Permission denied (os error 13)", pidfile.display());
        assert_failure_with(4, &launch, &why);
    }
    assert_eq!(stage.processes(), [daemon]);
}

/// Of such a process nobody but root may see what it holds open, and it is the caller's own all the same.
#[test]
fn control_stops_a_daemon_that_has_a_capability() {
    needs_root!();
    let stage = Stage::new();
    let control = stage.copy(example("control"));
    fs::set_permissions(stage.directory(), Permissions::from_mode(0o777)).expect("let others write");
    let as_nobody = |capability: &[&str], command: &str| {
        let mut setpriv = stage.command("setpriv");
        setpriv.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).args(capability);
        stage.launch(setpriv.arg(&control).arg(command))
    };
    let capability = ["--inh-caps", "+net_bind_service", "--ambient-caps", "+net_bind_service"];
    assert_silent_success(&as_nobody(&capability, "start"));
    let daemon = the_daemon(&stage);
    assert_eq!(daemon.status("CapEff").as_deref(), Some("0000000000000400"));
    assert_success(&as_nobody(&[], "stop"), "control has ended");
    assert!(!daemon.is_alive());
}

#[test]
fn control_explains_its_commands() {
    let stage = Stage::new();
    let help = stage.launch(stage.command(example("control")).arg("--help"));
    assert_eq!((help.status, help.stderr.as_str()), (0, ""));
    for word in ["start", "run", "stop", "restart", "reload", "upgrade", "status", "--pidfile"] {
        assert!(help.stdout.contains(&format!("  {word}")), "{word}: {}", help.stdout);
    }
    let mistake = control(&stage, "strat");
    assert_eq!((mistake.status, mistake.stdout.as_str()), (2, ""));
    let line = "error: invalid value 'strat' for '<CONTROL>': unknown command `strat`; expected one of \
                start, run, stop, restart, reload, upgrade, status\n";
    assert!(mistake.stderr.starts_with(line), "{}", mistake.stderr);
    assert_eq!((stage.processes(), stage.files()), (vec![], vec![]));
}

/// The body after the HTTP head.
/// What `setup` answers.
const GREETING: &str = "200 OK: hello\n";

/// Starts an example without arguments, as a shell does.
fn start(stage: &Stage, name: &str) {
    assert_silent_success(&stage.launch(&mut stage.command(example(name))));
}

fn control(stage: &Stage, command: &str) -> Launch {
    stage.launch(stage.command(example("control")).arg(command))
}

/// The daemon of `control start`.
fn started(stage: &Stage) -> Process {
    assert_silent_success(&control(stage, "start"));
    the_daemon(stage)
}

fn listen(stage: &Stage, address: &str) -> Launch {
    stage.launch(stage.command(example("setup")).args(["--listen", address]))
}

fn assert_silent_success(launch: &Launch) {
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (0, "", ""));
}

#[test]
fn privileged_port_serves_as_nobody() {
    needs_root!();
    // A port below 1024, at an address that no other program has a reason to use.
    let address = SocketAddr::from(([127, 0, 9, 80], 80));
    let stage = Stage::new();
    assert_silent_success(
        &stage.launch(stage.command(example("privileged_port")).args(["--listen", &address.to_string()])),
    );
    let daemon = the_daemon(&stage);
    let mut greeting = String::new();
    connect(address).expect("connect").read_to_string(&mut greeting).expect("a greeting");
    assert_eq!(greeting, format!("process {} is nobody\n", daemon.0));

    let nobody = User::from_name("nobody").expect("a database").expect("nobody");
    for (key, id) in [("Uid", nobody.uid.as_raw()), ("Gid", nobody.gid.as_raw())] {
        assert_eq!(daemon.status(key), Some([id.to_string().as_str(); 4].join("\t")));
    }
    assert_eq!(daemon.status("NoNewPrivs").as_deref(), Some("1"));
    stop_by_default_action(daemon);
}

fn assert_success(launch: &Launch, says: &str) {
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (0, format!("{says}\n").as_str(), ""));
}

fn assert_failure(launch: &Launch, why: &str) {
    assert_failure_with(1, launch, why);
}

fn assert_failure_with(status: i32, launch: &Launch, why: &str) {
    let line = format!("control: {why}\n");
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (status, "", line.as_str()));
}

/// The one process that is left of a start.
pub(super) fn the_daemon(stage: &Stage) -> Process {
    eventually("the leader's end", || match stage.processes()[..] {
        [daemon] => Some(daemon),
        _ => None,
    })
}

fn executable(process: Process) -> PathBuf {
    fs::read_link(format!("/proc/{}/exe", process.0)).expect("a process that runs")
}

pub(super) fn stop_by_default_action(daemon: Process) {
    daemon.signal(Signal::SIGTERM);
    assert!(matches!(daemon.wait(), WaitStatus::Signaled(_, Signal::SIGTERM, _)));
}

/// The lines of a file that are complete, once there are so many of them.
fn lines(stage: &Stage, file: &str, count: usize) -> Vec<String> {
    eventually("lines in a log", || {
        let text = stage.read(file);
        let (complete, _) = text.rsplit_once('\n')?;
        let lines: Vec<_> = complete.split('\n').map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines)
    })
}

/// The seconds since the epoch in a line such as `2015-06-23-025041`.
fn compact_time(line: &str) -> i64 {
    const FORM: &str = "%Y-%m-%d-%H%M%S";
    let time = DateTime::strptime(FORM, line).expect(line);
    assert_eq!(time.strftime(FORM).to_string(), line);
    time.to_zoned(TimeZone::UTC).expect(line).timestamp().as_second()
}

/// The seconds since the epoch in a line such as `1 2015-06-23T02:50:41Z`.
fn numbered_time(line: &str, count: u64) -> i64 {
    let time: Timestamp = line.strip_prefix(&format!("{count} ")).expect(line).parse().expect(line);
    assert_eq!(format!("{count} {time:.0}"), line);
    time.as_second()
}

fn assert_once_a_second(times: &[i64], start: i64) {
    let now = Timestamp::now().as_second();
    assert!(times.iter().all(|time| (start..=now).contains(time)), "{times:?} from {start} to {now}");
    assert!(times.is_sorted_by(|earlier, later| earlier < later), "{times:?}");
}

/// What the line `process 4242 listens on 127.0.0.1:8080` says.
fn listener(line: &str) -> (Process, SocketAddr) {
    let (process, address) = line.trim_end().split_once(" listens on ").expect(line);
    let process = process.strip_prefix("process ").expect(line);
    (Process(process.parse().expect(line)), address.parse().expect(line))
}

pub(super) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(DEADLINE))?;
    Ok(connection)
}

fn get(address: SocketAddr) -> String {
    http::get(connect(address).expect("connect"), "/")
}
