//! The files beside the service of the examples, each with the manager that it is for.

use std::{
    collections::HashSet,
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
};

use support::{Launch, Stage, Systemd, are_installed, eventually, is_root, skip};

use crate::{cargo::example, host::Host, http::get};

mod cargo;
mod host;
mod http;

const PROGRAM: &str = "/usr/local/libexec/service";

/// Where every file of the deployment has it listen.
const PORT: u16 = 8080;

const SERVICE: &str = "service.service";
const UNIT: &str = "/etc/systemd/system/service.service";

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

/// Without a registry there are neither Rust's image nor Debian's: the program is there already in place of the first
/// stage, and its libraries are the second one's base. What the second stage says is done as it stands.
#[test]
fn containerfile() {
    let Some(host) = host_with("Containerfile", "/build/Containerfile", &["podman"]) else { return };
    let text = fs::read_to_string(directory().join("Containerfile")).expect("the file");
    let (_, stage) = text.rsplit_once("\nFROM ").expect("two stages");
    let program = format!("FROM scratch AS build\nCOPY service /src/target/release/examples/service\n\nFROM {stage}");
    fs::write(host.stage.path("Containerfile"), program).expect("write a file");
    let base = stage.lines().next().expect("the base");
    let podman = "podman --cgroup-manager cgroupfs --storage-driver vfs";
    succeeds(&host.run(&format!("cp {PROGRAM} service")));
    let libraries = format!("ldd {PROGRAM} | grep --only-matching '/[^ ]*'");
    succeeds(&host.run(&format!("tar --create --dereference $({libraries}) | {podman} import - {base}")));
    succeeds(&host.run(&format!("{podman} build --file Containerfile --tag service .")));

    // Without a network of its own and control groups, which take more than the machine of a test may have; and with what
    // kubernetes.yaml asks for.
    let Commands { start, reload, stop } = commands("Podman, Docker");
    let confined = "--network host --cgroups disabled --read-only --cap-drop all --security-opt no-new-privileges";
    let podman = |command: &str| host.run(&command.replacen("podman", podman, 1));
    succeeds(&podman(&start.replace("--publish 8080:8080", confined)));
    assert_eq!(answer_of(&host, "/"), "200 OK: hello\n");
    assert_eq!(answer_of(&host, "/healthz"), "200 OK: healthy\n");
    let of_state = |field: &str| podman(&format!("podman inspect --format {{{{.State.{field}}}}} service")).stdout;
    assert_eq!(user(&host, &of_state("Pid")), "10001");

    succeeds(&podman(&reload));
    succeeds(&podman(&stop));
    assert_eq!((of_state("Status"), of_state("ExitCode")), ("exited\n".into(), "0\n".into()));
    let log = podman("podman logs service").stderr;
    let events: Vec<_> = log.lines().filter_map(|line| Some(line.split_once(" service: ")?.1)).collect();
    let listening = "listening on 0.0.0.0:8080 launched_by=\"a container: its process id is 1\"";
    assert_eq!(events, [listening, "reloaded", "stopping", "every request is answered"]);
}

#[test]
fn systemd() {
    let Some(systemd) = booted(&[("service.service", &unit("service.service"))]) else { return };
    let Commands { start, reload, stop } = commands("systemd");
    systemctl(&systemd, &start);
    assert_eq!(get(systemd.connect(PORT), "/"), "200 OK: hello\n");
    let first = assert_runs(&systemd);
    assert_eq!(systemd.show(SERVICE, &["StatusText"]), "listening on 0.0.0.0:8080");
    assert_confined(&systemd, &first);

    fs::write(systemd.path("/etc/service.toml"), "greeting = \"good night\"").expect("write the configuration");
    systemctl(&systemd, &reload);
    eventually("the new greeting", || (get(systemd.connect(PORT), "/") == "200 OK: good night\n").then_some(()));
    eventually("the end of the reload", || (systemd.show(SERVICE, &["StatusText"]) == "reloaded").then_some(()));
    assert_eq!(assert_runs(&systemd), first);

    systemctl(&systemd, "systemctl restart service");
    assert_eq!(get(systemd.connect(PORT), "/"), "200 OK: good night\n");
    assert_ne!(assert_runs(&systemd), first);

    systemctl(&systemd, &stop);
    assert_eq!(systemd.state(SERVICE), "inactive dead success 0");
    let listening = "listening on 0.0.0.0:8080 launched_by=\"systemd: SYSTEMD_EXEC_PID is its process id\"";
    let events = [listening, "reloaded", "stopping", "every request is answered"];
    assert_eq!(events_in(&systemd), [&events[..], &[listening], &events[2..]].concat());
}

#[test]
fn systemd_listens() {
    let units = ["service.socket", "service.service"].map(|name| (name, unit(name)));
    let Some(systemd) = booted(&units.each_ref().map(|(name, text)| (*name, text.as_str()))) else { return };
    let Commands { start, reload, stop } = commands("systemd, which listens");
    systemctl(&systemd, &start);
    assert_eq!(systemd.state(SERVICE), "inactive dead success 0");
    assert_eq!(get(systemd.connect(PORT), "/"), "200 OK: hello\n");
    let first = assert_runs(&systemd);
    systemctl(&systemd, &reload);

    systemctl(&systemd, "systemctl stop service");
    assert_eq!(get(systemd.connect(PORT), "/"), "200 OK: hello\n", "who comes meanwhile waits");
    assert_ne!(assert_runs(&systemd), first);

    systemctl(&systemd, &stop);
    assert_eq!(systemd.state(SERVICE), "inactive dead success 0");
    assert_eq!(systemd.show("service.socket", &["ActiveState", "Result"]), "inactive success");
    let events = events_in(&systemd);
    assert_eq!(events[0], "listening on [::]:8080 launched_by=\"socket activation: LISTEN_PID is its process id\"");
}

#[test]
fn systemd_watches() {
    let impatient = unit("service.service").replace("WatchdogSec=30s", "WatchdogSec=400ms");
    let Some(systemd) = booted(&[("service.service", &impatient)]) else { return };
    systemctl(&systemd, "systemctl start service");
    let first = assert_runs(&systemd);
    let mut pings = HashSet::new();
    eventually("pings", || {
        pings.insert(systemd.show(SERVICE, &["WatchdogTimestampMonotonic"]));
        (pings.len() > 5).then_some(())
    });
    assert_eq!(assert_runs(&systemd), first);

    systemctl(&systemd, "systemctl kill --signal STOP service"); // it hangs
    eventually("another start", || (systemd.show(SERVICE, &["NRestarts", "SubState"]) == "1 running").then_some(()));
    assert_ne!(assert_runs(&systemd), first);
    assert_eq!(get(systemd.connect(PORT), "/"), "200 OK: hello\n");
}

/// Its process id.
fn assert_runs(systemd: &Systemd) -> String {
    let pid = systemd.show(SERVICE, &["MainPID"]);
    assert_eq!(systemd.state(SERVICE), format!("active running success {pid}"));
    pid
}

/// The kernel confirms what the unit asks for.
fn assert_confined(systemd: &Systemd, pid: &str) {
    let status = fs::read_to_string(systemd.path(&format!("/proc/{pid}/status"))).expect("its status");
    let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(":\t")).expect(key);
    assert_ne!(value("Uid").split('\t').next(), Some("0"));
    for (key, expected) in [("CapBnd", "0000000000000000"), ("NoNewPrivs", "1"), ("Seccomp", "2")] {
        assert_eq!(value(key), expected, "{key}");
    }
}

/// The last ones that the service wrote to the journal.
fn events_in(systemd: &Systemd) -> Vec<String> {
    let shown = systemd.systemctl(&["status", "--lines=100", SERVICE]).stdout;
    shown.lines().filter_map(|line| Some(line.split_once(" INFO service: ")?.1.to_owned())).collect()
}

fn systemctl(systemd: &Systemd, command: &str) {
    succeeds(&systemd.systemctl(&command.split(' ').skip(1).collect::<Vec<_>>()));
}

/// `systemd-analyze security` rates what is open from 0 to 10; an unconfined service has 9.6.
#[test]
fn units_are_valid() {
    let Some(host) = host_with("service.service", UNIT, &["systemd-analyze"]) else { return };
    fs::copy(directory().join("service.socket"), host.stage.path("service.socket")).expect("copy the unit");
    succeeds(&host.run("cp service.socket /etc/systemd/system"));
    let verified =
        host.run("systemd-analyze verify /etc/systemd/system/service.service /etc/systemd/system/service.socket");
    assert_eq!((verified.status, verified.stdout.as_str(), verified.stderr.as_str()), (0, "", ""));
    succeeds(&host.run("systemd-analyze security --offline=true --threshold=20 /etc/systemd/system/service.service"));
}

/// Kubernetes publishes schemas of what it takes; `strict` ones have no place for a name that is misspelt.
#[test]
fn kubernetes_takes_the_manifest() {
    if !are_installed(&["kubernetes-validate"]) {
        return;
    }
    let stage = Stage::new();
    let file = directory().join("kubernetes.yaml");
    let launch = stage.launch(stage.command("kubernetes-validate").arg("--strict").arg(&file));
    succeeds(&launch);
    let passed: Vec<_> = launch.stdout.lines().filter_map(|line| line.split(" passed for resource ").nth(1)).collect();
    let kinds: Vec<_> = passed.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(kinds, ["deployment/service", "service/service"], "{launch:?}");
}

/// The port and the probes of the manifest are those of the program and its image.
#[test]
fn kubernetes_asks_what_the_service_answers() {
    let manifest = fs::read_to_string(directory().join("kubernetes.yaml")).expect("the manifest");
    let values = |key: &str| -> Vec<_> {
        manifest.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix(key)).collect()
    };
    assert_eq!(values("containerPort: "), [PORT.to_string()]);
    let stage = Stage::new();
    succeeds(&stage.launch(stage.command(example("service")).args(["--listen", "127.0.0.1:0"])));
    let log = eventually("the log", || Some(stage.read("service.log")).filter(|log| log.contains("launched_by")));
    let (_, address) = log.split_once("listening on ").expect(&log);
    let address = address.split(' ').next().expect(&log);
    let paths = values("path: ");
    assert_eq!(paths.len(), 3, "three probes: {paths:?}");
    for path in paths {
        let answer = get(TcpStream::connect(address).expect("connect"), path);
        assert!(answer.starts_with("200 OK: "), "{path}: {answer}");
    }
}

fn booted(units: &[(&str, &str)]) -> Option<Systemd> {
    let service = example("service");
    let systemd = Systemd::boot(&[service.to_str().expect("a path in UTF-8")], units)?;
    let program = systemd.path(PROGRAM);
    fs::create_dir_all(program.parent().expect("a directory")).expect("create a directory");
    fs::rename(systemd.path("/usr/bin/service"), program).expect("install the service");
    fs::write(systemd.path("/etc/service.toml"), "greeting = \"hello\"").expect("write the configuration");
    Some(systemd)
}

fn unit(name: &str) -> String {
    fs::read_to_string(directory().join(name)).expect("a unit")
}

/// The service and its configuration where they are installed, and the file of a manager.
fn host_with(file: &str, path: &str, tools: &[&str]) -> Option<Host> {
    if !is_root() || !are_installed(tools) || !are_installed(&["ip"]) {
        return None;
    }
    let host = Host::boot(&[(&example("service"), PROGRAM), (&directory().join(file), path)]);
    configure(&host, "hello");
    succeeds(&host.run("useradd --system --user-group service"));
    Some(host)
}

fn configure(host: &Host, greeting: &str) {
    succeeds(&host.run(&format!("echo 'greeting = \"{greeting}\"' >/etc/service.toml")));
}

fn succeeds(launch: &Launch) {
    assert_eq!(launch.status, 0, "{launch:?}");
}

/// As soon as it listens, where nothing tells when that is.
fn answer_of(host: &Host, path: &str) -> String {
    eventually("an answer", || host.connect(PORT).ok().map(|connection| get(connection, path)))
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
