//! The service in a container, by its Containerfile, and what its manifest asks of Kubernetes.

use std::{fs, net::TcpStream};

use support::{Host, Stage, eventually, http::get, needs_tools};

use super::deployment::{Commands, PORT, PROGRAM, commands, events, file, listening, succeeds, text};
use crate::cargo::example;

/// Without a registry there are neither Rust's image nor Debian's: the program is there already in place of the first
/// stage, and its libraries are the second one's base. What the second stage says is done as it stands.
#[test]
fn containerfile() {
    let Some(host) = Host::boot(&["podman"], &[(&example("service"), PROGRAM)]) else { return };
    let text = text("Containerfile");
    let (_, stage) = text.rsplit_once("\nFROM ").expect("two stages");
    let program = format!("FROM scratch AS build\nCOPY service /src/target/release/examples/service\n\nFROM {stage}");
    fs::write(host.stage.path("Containerfile"), program).expect("write a file");
    let base = stage.lines().next().expect("the base");
    // A storage of its own: what the machine has may be of another kind.
    let podman = "podman --root /var/lib/own-containers --cgroup-manager cgroupfs --storage-driver vfs";
    succeeds(&host.run(&format!("cp {PROGRAM} service")));
    // And the C library of a program that glibc's ldd does not know.
    let libraries = format!("ldd {PROGRAM} | grep --only-matching '/[^ ]*'; ls /lib/ld-musl-*.so.1 2>/dev/null");
    succeeds(&host.run(&format!("tar --create --dereference $({libraries}) | {podman} import - {base}")));
    succeeds(&host.run(&format!("{podman} build --file Containerfile --tag service .")));

    // Without a network of its own and control groups, which take more than the machine of a test may have; and with
    // what kubernetes.yaml asks for.
    let Commands { start, reload, stop } = commands("Podman, Docker");
    let confined = "--network host --cgroups disabled --read-only --cap-drop all --security-opt no-new-privileges";
    let podman = |command: &str| host.run(&command.replacen("podman", podman, 1));
    succeeds(&podman(&start.replace("--publish 8080:8080", confined)));
    assert_eq!(answer_of(&host, "/"), "200 OK: hello\n");
    assert_eq!(answer_of(&host, "/healthz"), "200 OK: healthy\n");
    let of_state = |field: &str| podman(&format!("podman inspect --format {{{{.State.{field}}}}} service")).stdout;
    assert_eq!(host.run(&format!("ps -o uid= -p {}", of_state("Pid"))).stdout.trim(), "10001");

    succeeds(&podman(&reload));
    succeeds(&podman(&stop));
    assert_eq!((of_state("Status"), of_state("ExitCode")), ("exited\n".into(), "0\n".into()));
    let log = podman("podman logs service").stderr;
    let listening = listening("a container: its process id is 1");
    assert_eq!(events(&log), [&listening, "reloaded", "stopping", "every request is answered"]);
}

/// Kubernetes publishes schemas of what it takes; `strict` ones have no place for a name that is misspelt.
#[test]
fn kubernetes_takes_the_manifest() {
    needs_tools!("kubernetes-validate");
    let stage = Stage::new();
    let launch = stage.launch(stage.command("kubernetes-validate").arg("--strict").arg(file("kubernetes.yaml")));
    succeeds(&launch);
    let passed: Vec<_> = launch.stdout.lines().filter_map(|line| line.split(" passed for resource ").nth(1)).collect();
    let kinds: Vec<_> = passed.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(kinds, ["deployment/service", "service/service"], "{launch:?}");
}

/// The port and the probes of the manifest are those of the program and its image.
#[test]
fn kubernetes_asks_what_the_service_answers() {
    let manifest = text("kubernetes.yaml");
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

/// As soon as it listens: nothing tells when that is.
fn answer_of(host: &Host, path: &str) -> String {
    eventually("an answer", || host.connect(PORT).ok().map(|connection| get(connection, path)))
}
