//! The files beside the service of the examples, each with the manager that it is for.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
};

use support::{Launch, eventually, is_root, skip};

use crate::{cargo::example, host::Host, http::get};

mod cargo;
mod host;
mod http;

const PROGRAM: &str = "/usr/local/libexec/service";

/// Where every file of the deployment has it listen.
const PORT: u16 = 8080;

/// What a row of the README's table says to do.
struct Commands {
    start: String,
    reload: String,
    stop: String,
}

#[test]
fn system_v_init() {
    let Some(host) = host_with("service.init", "/etc/init.d/service", &["start-stop-daemon", "useradd"]) else {
        return;
    };
    if !Path::new("/lib/lsb/init-functions").exists() {
        return skip("the LSB's init functions");
    }
    let Commands { start, reload, stop } = commands("System V init");
    let run = |command: &str, code, says: &str| {
        let launch = host.run(command);
        assert_eq!((launch.status, launch.stdout.trim_end(), launch.stderr.as_str()), (code, says, ""), "{command}");
    };
    let status = "/etc/init.d/service status";
    run(status, 3, "service is not running ... failed!");
    run(&reload, 7, "");

    run(&start, 0, "Starting: service.");
    assert_eq!(get(connect(&host), "/"), "200 OK: hello\n");
    run(status, 0, "service is running.");
    let first = pidfile(&host);
    assert_eq!(user(&host, &first), "service");
    run(&start, 0, "Starting: service.");
    assert_eq!(pidfile(&host), first, "it was running, and that is a success");

    configure(&host, "good night");
    run(&reload, 0, "Reloading: service.");
    eventually("the new greeting", || (get(connect(&host), "/") == "200 OK: good night\n").then_some(()));

    run("/etc/init.d/service restart", 0, "Stopping: service.\nStarting: service.");
    assert_eq!(get(connect(&host), "/"), "200 OK: good night\n");
    assert_ne!(pidfile(&host), first);

    run(&format!("kill -KILL {}", pidfile(&host)), 0, "");
    eventually("its end", || (host.run(status).status == 1).then_some(()));
    run("/etc/init.d/service try-restart", 0, "");
    run(&start, 0, "Starting: service.");
    run("/etc/init.d/service try-restart", 0, "Stopping: service.\nStarting: service.");

    run(&stop, 0, "Stopping: service.");
    run(status, 3, "service is not running ... failed!");
    run(&stop, 0, "Stopping: service.");
    run("test ! -e /run/service.pid", 0, "");
    let log = host.run("cat /var/log/service/service.log").stdout;
    assert!(log.contains("launched_by=\"a shell or a program: nothing shows a service manager\""), "{log}");
    assert!(log.ends_with("every request is answered\n"), "{log}");
}

/// The files exist, and the program does not get there.
#[test]
fn system_v_init_says_why_it_does_not_start() {
    let Some(host) = host_with("service.init", "/etc/init.d/service", &["start-stop-daemon", "useradd"]) else {
        return;
    };
    configure(&host, "a quotation mark: \"");
    let launch = host.run(&commands("System V init").start);
    assert_eq!((launch.status, launch.stdout.as_str()), (1, "Starting: service failed!\n"));
    assert!(launch.stderr.starts_with("service: cannot understand /etc/service.toml: "), "{}", launch.stderr);
    assert_eq!(host.run("/etc/init.d/service status").status, 3);
}

#[test]
fn openrc() {
    let Some(host) = host_with("service.openrc", "/etc/init.d/service", &["openrc", "useradd"]) else { return };
    succeeds(&host.run("rm -f /etc/runlevels/*/* && openrc sysinit && openrc boot && openrc default"));
    let Commands { start, reload, stop } = commands("OpenRC");
    let status = || host.run("rc-service service status").status;
    let greets = |greeting: &str| {
        eventually("a greeting", || {
            let answer = get(host.connect(PORT).ok()?, "/");
            (answer == format!("200 OK: {greeting}\n")).then_some(())
        });
    };
    assert_eq!(status(), 3);

    succeeds(&host.run(&start));
    greets("hello");
    assert_eq!(status(), 0);
    let child = || host.run("pgrep -u service -x service").stdout;
    let first = child();

    configure(&host, "good night");
    succeeds(&host.run(&reload));
    greets("good night");
    assert_eq!(child(), first);

    succeeds(&host.run(&format!("kill -KILL {first}")));
    eventually("another one", || Some(child()).filter(|child| !child.is_empty() && *child != first));
    greets("good night");
    succeeds(&host.run("rc-service service restart"));
    greets("good night");

    succeeds(&host.run(&stop));
    assert_eq!(status(), 3);
    assert_eq!(child(), "");
    let log = host.run("cat /var/log/service/service.log").stdout;
    assert!(log.contains("launched_by=\"a supervisor: its parent is named supervise-daemo\""), "{log}");
    assert!(log.ends_with("every request is answered\n"), "{log}");
}

/// The service and its configuration where they are installed, and the file of a manager.
fn host_with(file: &str, path: &str, tools: &[&str]) -> Option<Host> {
    if !is_root() || !are_found(tools) || !are_found(&["ip"]) {
        return None;
    }
    let host = Host::boot(&[(&example("service"), PROGRAM), (&directory().join(file), path)]);
    configure(&host, "hello");
    succeeds(&host.run("useradd --system --user-group service"));
    Some(host)
}

/// Says which is the first that is not.
fn are_found(tools: &[&str]) -> bool {
    let is_found = |tool: &&str| {
        Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().expect("sh").status.success()
    };
    let missing = tools.iter().find(|tool| !is_found(tool));
    missing.inspect(|tool| skip(tool)).is_none()
}

fn configure(host: &Host, greeting: &str) {
    succeeds(&host.run(&format!("echo 'greeting = \"{greeting}\"' >/etc/service.toml")));
}

fn succeeds(launch: &Launch) {
    assert_eq!(launch.status, 0, "{launch:?}");
}

fn connect(host: &Host) -> TcpStream {
    host.connect(PORT).expect("connect")
}

fn pidfile(host: &Host) -> String {
    host.run("cat /run/service.pid").stdout.trim_end().to_owned()
}

fn user(host: &Host, pid: &str) -> String {
    host.run(&format!("ps -o user= -p {pid}")).stdout.trim_end().to_owned()
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/service")
}

/// The last three cells of the row that begins with that.
fn commands(manager: &str) -> Commands {
    let readme = fs::read_to_string(directory().join("README.md")).expect("the README");
    let row = readme.lines().find(|line| line.starts_with(&format!("| {manager} |"))).expect(manager);
    let mut cells = row.trim_end_matches(" |").rsplit(" | ").map(|cell| cell.trim_matches('`').to_owned());
    let mut cell = || cells.next().expect(row);
    let (stop, reload, start) = (cell(), cell(), cell());
    Commands { start, reload, stop }
}
