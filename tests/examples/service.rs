//! The service of the examples, as a person at a shell runs it.

use std::{
    fs::{self, File},
    io,
    net::{SocketAddr, TcpStream},
    process::Command,
};

use daemon_rt::PidFile;
use nix::{
    libc::{EADDRINUSE, ENOENT},
    sys::{signal::Signal, wait::WaitStatus},
};
use support::{
    DEADLINE, Launch, Process, Stage, Terminal, eventually,
    http::{begin, finish, get},
};

use crate::cargo::example;

mod containers;
mod deployment;
mod init;
mod only_file;
mod systemd;

#[test]
fn serves_as_soon_as_the_launcher_has_exited() {
    let stage = Stage::new();
    let (service, address) = started(&stage, &[]);
    assert_eq!(get(connect(address), "/"), "200 OK: hello\n");
    assert_eq!(get(connect(address), "/healthz"), "200 OK: healthy\n");
    assert_eq!(get(connect(address), "/readyz"), "200 OK: ready\n");
    assert_eq!(get(connect(address), "/nowhere"), "404 Not Found: ");

    service.signal(Signal::SIGTERM);
    assert!(matches!(service.wait(), WaitStatus::Exited(_, 0)));
    let events = [
        format!("listening on {address} launched_by=\"a shell or a program: nothing shows a service manager\""),
        "stopping".into(),
        "every request is answered".into(),
    ];
    assert_eq!(logged(&stage, 3), events);
    assert_eq!(stage.files(), ["service.log"]);
}

#[test]
fn answers_what_was_asked_before_sigterm() {
    let stage = Stage::new();
    let (service, address) = started(&stage, &[]);
    let mut requests = ["/", "/readyz"].map(|path| {
        let mut connection = connect(address);
        begin(&mut connection, path);
        connection
    });
    get(connect(address), "/"); // connections are accepted in turn: the first ones are in the program's hands now

    service.signal(Signal::SIGTERM);
    eventually("the end of the listener", || TcpStream::connect(address).err());
    assert!(service.is_alive());
    let [greeting, readiness] = requests.each_mut().map(|request| finish(request.try_clone().expect("a connection")));
    assert_eq!(greeting, "200 OK: hello\n");
    assert_eq!(readiness, "503 Service Unavailable: stopping\n");
    assert!(matches!(service.wait(), WaitStatus::Exited(_, 0)));
}

#[test]
fn reads_its_configuration_again() {
    let stage = Stage::new();
    configure(&stage, "greeting = \"good morning\"");
    let (service, address) = started(&stage, &["--config", "service.toml"]);
    assert_eq!(get(connect(address), "/"), "200 OK: good morning\n");

    configure(&stage, "greeting = \"good night\"");
    service.signal(Signal::SIGHUP);
    assert_eq!(logged(&stage, 2)[1], "reloaded");
    assert_eq!(get(connect(address), "/"), "200 OK: good night\n");

    configure(&stage, "greting = \"good day\"");
    service.signal(Signal::SIGHUP);
    let error = &logged(&stage, 3)[2];
    assert!(error.starts_with(&format!("not reloaded error=\"cannot understand {}: ", config(&stage))), "{error}");
    assert!(error.ends_with("unknown field `greting`, expected `greeting`\\n\""), "{error}");
    assert_eq!(get(connect(address), "/"), "200 OK: good night\n");
}

#[test]
fn tells_the_terminal_what_is_wrong_with_its_configuration() {
    let stage = Stage::new();
    let launch = launch(&stage, &["--config", "service.toml"]);
    let why = format!("cannot read {}: {}", config(&stage), io::Error::from_raw_os_error(ENOENT));
    assert_eq!((launch.status, launch.stderr), (1, format!("service: {why}\n")));

    configure(&stage, "greting = \"good day\"");
    let launch = self::launch(&stage, &["--config", "service.toml"]);
    let why = format!("service: cannot understand {}: ", config(&stage));
    assert_eq!(launch.status, 1);
    assert!(launch.stderr.starts_with(&why) && launch.stderr.contains("unknown field `greting`"), "{}", launch.stderr);
    assert_eq!((stage.processes(), stage.files()), (vec![], vec!["service.toml".into()]));
}

#[test]
fn runs_once_with_a_pidfile() {
    let stage = Stage::new();
    let (service, address) = started(&stage, &["--pidfile", "service.pid"]);
    assert_eq!(stage.read("service.pid").trim_end(), service.0.to_string());

    // The port is taken, too, but that another instance has it says more.
    let second = launch(&stage, &["--pidfile", "service.pid", "--listen", &address.to_string()]);
    let why = format!("cannot lock {}: already running as process {}", stage.path("service.pid").display(), service.0);
    assert_eq!((second.status, second.stderr), (1, format!("service: {why}\n")));
    assert_eq!(supervised(&stage).expect("a daemon").0, service);
    assert_eq!(get(connect(address), "/"), "200 OK: hello\n");

    service.signal(Signal::SIGTERM);
    assert!(matches!(service.wait(), WaitStatus::Exited(_, 0)));
    assert_eq!(stage.files(), ["service.log"]);
}

#[test]
fn is_started_again_and_its_port_is_open_meanwhile() {
    let stage = Stage::new();
    let (service, address) = started(&stage, &["--pidfile", "service.pid"]);
    for _ in 0..3 {
        let (_, daemon) = eventually("a daemon", || supervised(&stage));
        daemon.signal(Signal::SIGKILL);
        eventually("its end", || (!daemon.is_alive()).then_some(()));
        assert_eq!(get(connect(address), "/"), "200 OK: hello\n", "the next one serves who has come meanwhile");
    }
    let (supervisor, _) = eventually("a daemon", || supervised(&stage));
    assert_eq!((supervisor, stage.read("service.pid").trim_end()), (service, service.0.to_string().as_str()));
    service.signal(Signal::SIGTERM);
    assert!(matches!(service.wait(), WaitStatus::Exited(_, 0)));
}

#[test]
fn is_replaced_by_a_new_version_and_finishes_what_it_was_asked() {
    let stage = Stage::new();
    let program = stage.copy(example("service"));
    let mut command = stage.command(&program);
    command.args(["--listen", "127.0.0.1:0", "--pidfile", "service.pid", "--config", "service.toml"]);
    fs::write(stage.path("service.toml"), "greeting = 'old'").expect("write");
    let launch = stage.launch(&mut command);
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    let address = address(&logged(&stage, 1)[0]);
    let (old_supervisor, old) = eventually("a daemon", || supervised(&stage));
    let mut long = connect(address);
    begin(&mut long, "/");
    assert_eq!(get(connect(address), "/"), "200 OK: old\n"); // the long one is accepted by now

    fs::write(stage.path("service.toml"), "greeting = 'new'").expect("write");
    let pidfile = PidFile::new(stage.path("service.pid"));
    pidfile.upgrade(DEADLINE).expect("an upgrade");
    eventually("the old one takes no more", || (get(connect(address), "/") == "200 OK: new\n").then_some(()));
    assert!(old.is_alive(), "a request is not finished");
    assert_eq!(finish(long), "200 OK: old\n");
    eventually("its end", || (!old.is_alive() && !old_supervisor.is_alive()).then_some(()));
    for _ in 0..10 {
        assert_eq!(get(connect(address), "/"), "200 OK: new\n");
    }

    fs::write(stage.path("service.toml"), "greting = 'newer'").expect("write");
    let error = pidfile.upgrade(DEADLINE).expect_err("a mistake in the configuration");
    assert!(format!("{error:#}").contains("unknown field `greting`"), "{error:#}");
    assert_eq!(get(connect(address), "/"), "200 OK: new\n");
    pidfile.stop(DEADLINE).expect("a stop");
    assert_eq!((stage.processes(), stage.files().contains(&"service.pid".into())), (vec![], false));
}

/// A client that has connected when the service is asked to stop, and then sends its request. It has half a second, and on a
/// busy machine that may pass: but not time after time.
#[test]
fn cuts_no_connection_that_it_has_accepted() {
    let stage = Stage::new();
    let mut command = stage.command(example("service"));
    let launch = stage.launch(command.args(["--listen", "127.0.0.1:0", "--pidfile", "service.pid"]));
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""));
    let address = address(&logged(&stage, 1)[0]);
    let is_answered = (1..=5).any(|round| {
        let (_, old) = eventually("a daemon", || supervised(&stage));
        let open = || fs::read_dir(format!("/proc/{}/fd", old.0)).map_or(0, Iterator::count);
        let before = open();
        let connection = connect(address);
        eventually("an accepted connection", || (open() > before).then_some(()));
        PidFile::new(stage.path("service.pid")).upgrade(DEADLINE).expect("an upgrade");
        let stops = || stage.read("service.log").matches("stopping").count();
        eventually("the request to stop", || (stops() == round).then_some(()));
        let answer = std::panic::catch_unwind(|| get(connection, "/"));
        eventually("its end", || (!old.is_alive()).then_some(()));
        answer.is_ok_and(|answer| answer == "200 OK: hello\n")
    });
    assert!(is_answered);
    PidFile::new(stage.path("service.pid")).stop(DEADLINE).expect("a stop");
}

#[test]
fn tells_the_terminal_that_the_port_is_taken() {
    let stage = Stage::new();
    let (_, address) = started(&stage, &[]);
    let second = launch(&Stage::new(), &["--listen", &address.to_string()]);
    let why = format!("cannot listen on {address}: {}", io::Error::from_raw_os_error(EADDRINUSE));
    assert_eq!((second.status, second.stderr), (1, format!("service: {why}\n")));
}

#[test]
fn stays_in_the_foreground_of_a_terminal() {
    let stage = Stage::new();
    let mut terminal = Terminal::open();
    let mut command = command(&stage, &["--foreground"]);
    command.stderr(File::options().write(true).open(&terminal.path).expect("open the terminal"));
    let mut child = command.spawn().expect("start the service");
    drop(command); // with its end of the terminal
    let shown = terminal.read_until("launched_by");
    assert!(shown.contains("\x1b[32m INFO\x1b[0m"), "in colours: {shown:?}");
    assert_eq!(get(connect(address(&shown)), "/"), "200 OK: hello\n");
    assert_eq!(stage.files(), Vec::<String>::new(), "a log only where there is no terminal");

    let process = Process(i32::try_from(child.id()).expect("a process id"));
    assert_eq!(stage.processes(), [process]);
    process.signal(Signal::SIGINT); // as Ctrl-C does
    let status = eventually("the end of the service", || child.try_wait().expect("wait for the service"));
    assert_eq!(status.code(), Some(0));
}

#[test]
fn explains_its_arguments() {
    let stage = Stage::new();
    let help = launch(&stage, &["--help"]);
    assert_eq!((help.status, help.stderr.as_str()), (0, ""));
    for option in ["--foreground", "--listen", "--config", "--log", "--pidfile", "--user"] {
        assert!(help.stdout.contains(&format!(" {option}")), "{option}: {}", help.stdout);
    }
    assert_eq!((stage.processes(), stage.files()), (vec![], vec![]));
}

/// The service on a port that nobody else has, unless the arguments name one.
fn command(stage: &Stage, arguments: &[&str]) -> Command {
    let mut command = stage.command(example("service"));
    if !arguments.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command.args(arguments);
    command
}

fn launch(stage: &Stage, arguments: &[&str]) -> Launch {
    stage.launch(&mut command(stage, arguments))
}

/// The supervisor, and where the service listens.
fn started(stage: &Stage, arguments: &[&str]) -> (Process, SocketAddr) {
    let launch = launch(stage, arguments);
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (0, "", ""));
    (eventually("a supervisor", || supervised(stage)).0, address(&logged(stage, 1)[0]))
}

/// The supervisor and its daemon, if these are all.
fn supervised(stage: &Stage) -> Option<(Process, Process)> {
    match stage.processes()[..] {
        [one, other] if other.stat(4)? == one.0.to_string() => Some((one, other)),
        [one, other] if one.stat(4)? == other.0.to_string() => Some((other, one)),
        _ => None,
    }
}

fn address(line: &str) -> SocketAddr {
    let (_, address) = line.split_once("listening on ").expect(line);
    address.split(' ').next().and_then(|address| address.parse().ok()).expect(line)
}

fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).expect("connect");
    connection.set_read_timeout(Some(DEADLINE)).expect("set a timeout");
    connection
}

/// The events of the log, without time and level, once there are so many; further lines of one are left out.
fn logged(stage: &Stage, count: usize) -> Vec<String> {
    logged_in(stage, "service.log", count)
}

fn logged_in(stage: &Stage, log: &str, count: usize) -> Vec<String> {
    eventually("lines in the log", || {
        let log = stage.read(log);
        let (complete, _) = log.rsplit_once('\n')?;
        let events: Vec<_> =
            complete.lines().filter_map(|line| Some(line.split_once(" service: ")?.1.into())).collect();
        (events.len() >= count).then_some(events)
    })
}

fn configure(stage: &Stage, text: &str) {
    fs::write(stage.path("service.toml"), text).expect("write the configuration");
}

fn config(stage: &Stage) -> String {
    stage.path("service.toml").display().to_string()
}
