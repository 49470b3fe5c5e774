//! The service under System V init and `OpenRC`, by its scripts.

use support::{Host, eventually, http::get};

use super::deployment::{Commands, PORT, PROGRAM, commands, events, file, listening, succeeds};
use crate::cargo::example;

const HELLO: &str = "200 OK: hello\n";
const GOOD_NIGHT: &str = "200 OK: good night\n";

#[test]
fn system_v_init() {
    let Some(host) = host_with("service.init", "start-stop-daemon") else {
        return;
    };
    let Commands { start, reload, stop } = commands("System V init");
    let run = |command: &str, code, says: &str| {
        let launch = host.run(command);
        assert_eq!((launch.status, launch.stdout.trim_end(), launch.stderr.as_str()), (code, says, ""), "{command}");
    };
    let status = "/etc/init.d/service status";
    run(status, 3, "service is not running ... failed!");
    run(&reload, 7, "");

    run(&start, 0, "Starting: service.");
    assert_eq!(greeting(&host), HELLO);
    run(status, 0, "service is running.");
    let first = pidfile(&host);
    assert_eq!(user(&host, &first), "root");
    assert_eq!(user(&host, &daemon(&host, &first)), "service");
    run(&start, 0, "Starting: service.");
    assert_eq!(pidfile(&host), first, "it was running, and that is a success");

    configure(&host, "good night");
    run(&reload, 0, "Reloading: service.");
    eventually("the new greeting", || (greeting(&host) == GOOD_NIGHT).then_some(()));

    run("/etc/init.d/service restart", 0, "Stopping: service.\nStarting: service.");
    assert_eq!(greeting(&host), GOOD_NIGHT);
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
    let listening = listening("a shell or a program: nothing shows a service manager");
    assert_eq!(events(&log(&host))[..2], [&listening, "reloaded"]);
    let (served, end) = ("every request is answered\nservice: process ", " as it was asked to, exit status: 0\n");
    assert!(log(&host).contains(served) && log(&host).ends_with(end), "{}", log(&host));
}

/// The files exist, and the program does not get there.
#[test]
fn system_v_init_says_why_it_does_not_start() {
    let Some(host) = host_with("service.init", "start-stop-daemon") else {
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
    let Some(host) = host_with("service.openrc", "openrc") else { return };
    succeeds(&host.run("rm -f /etc/runlevels/*/* && openrc sysinit && openrc boot && openrc default"));
    let Commands { start, reload, stop } = commands("OpenRC");
    let status = || host.run("rc-service service status").status;
    // When it listens, nothing tells.
    let greets = |expected: &str| {
        eventually("a greeting", || (get(host.connect(PORT).ok()?, "/") == expected).then_some(()));
    };
    assert_eq!(status(), 3);

    succeeds(&host.run(&start));
    greets(HELLO);
    assert_eq!(status(), 0);
    let child = || host.run("pgrep -u service -x service").stdout;
    let first = child();

    configure(&host, "good night");
    succeeds(&host.run(&reload));
    greets(GOOD_NIGHT);
    assert_eq!(child(), first);

    succeeds(&host.run(&format!("kill -KILL {first}")));
    eventually("another one", || Some(child()).filter(|child| !child.is_empty() && *child != first));
    greets(GOOD_NIGHT);
    succeeds(&host.run("rc-service service restart"));
    greets(GOOD_NIGHT);

    succeeds(&host.run(&stop));
    assert_eq!(status(), 3);
    assert_eq!(child(), "");
    let listening = listening("a supervisor: its parent is named supervise-daemon");
    assert_eq!(events(&log(&host))[..3], [&listening, "reloaded", &listening]);
    assert!(log(&host).ends_with("every request is answered\n"), "{}", log(&host));
}

/// The service and its configuration where they are installed, and a manager's script.
fn host_with(script: &str, tool: &str) -> Option<Host> {
    let host =
        Host::boot(&[tool, "useradd"], &[(&example("service"), PROGRAM), (&file(script), "/etc/init.d/service")])?;
    configure(&host, "hello");
    succeeds(&host.run("useradd --system --user-group service"));
    Some(host)
}

fn configure(host: &Host, greeting: &str) {
    succeeds(&host.run(&format!("echo 'greeting = \"{greeting}\"' >/etc/service.toml")));
}

fn greeting(host: &Host) -> String {
    get(host.connect(PORT).expect("connect"), "/")
}

fn pidfile(host: &Host) -> String {
    host.run("cat /run/service.pid").stdout.trim_end().to_owned()
}

fn user(host: &Host, pid: &str) -> String {
    host.run(&format!("ps -o user= -p {pid}")).stdout.trim_end().to_owned()
}

/// The child of a supervisor.
fn daemon(host: &Host, supervisor: &str) -> String {
    host.run(&format!("pgrep -P {supervisor}")).stdout.trim_end().to_owned()
}

fn log(host: &Host) -> String {
    host.run("cat /var/log/service/service.log").stdout
}
