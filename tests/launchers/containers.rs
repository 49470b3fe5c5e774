//! The engines of containers, and sandboxes.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::signal::Signal;
use support::{Launcher, Process, Stage, Terminal, eventually, needs_root, needs_tools};

use crate::{ARRANGE, PROBE};

const FIRST: &str = "a container: its process id is 1";
const ELSEWHERE: &str = "a container: its parent is in another pid namespace, and it has no terminal";

/// Neither crun nor podman runs where version 1 of the cgroups has a controller: they see version 2 alone, in a mount
/// namespace that ends with them.
const CGROUPS: &str = "umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec \"$@\"";

/// Directories of the machine that make a root tree, with the probe in its place.
const TREE: [&str; 4] = ["/bin", "/lib", "/lib64", "/usr"];

fn engine(stage: &Stage, program: &str) -> Command {
    let mut command = stage.command("unshare");
    command.args(["--mount", "--cgroup", "--propagation", "private", "--", "sh", "-c", CGROUPS, "sh", program]);
    command
}

/// What is mounted in a container, beside /proc and /dev: all of it is read.
fn mounts(stage: &Stage) -> Vec<PathBuf> {
    let tree = TREE.into_iter().map(PathBuf::from).filter(|path| path.exists());
    tree.chain([PROBE.into(), stage.directory().into()]).collect()
}

/// crun(1), which podman and Kubernetes start: a bundle in the stage's directory, and no cgroups.
fn crun(stage: &Stage, arguments: &[&str]) -> Command {
    let mut command = engine(stage, "crun");
    command.arg("--cgroup-manager=disabled").arg("--root").arg(stage.path("state")).args(arguments);
    command
}

/// A bundle of the runtime specification, whose process is that.
fn bundle(stage: &Stage, namespaces: &[&str], command: &[&str]) {
    let mounts: Vec<_> = mounts(stage)
        .iter()
        .map(|path| path.display().to_string())
        .map(|path| {
            format!(r#"{{"destination": "{path}", "type": "bind", "source": "{path}", "options": ["rbind"]}},"#)
        })
        .collect();
    let namespaces: Vec<_> = namespaces.iter().map(|kind| format!(r#"{{"type": "{kind}"}}"#)).collect();
    let configuration = format!(
        r#"{{
            "ociVersion": "1.0.0",
            "process": {{"args": {command:?}, "env": ["PROBE_SOCKET={socket}"], "cwd": "/usr"}},
            "root": {{"path": "root"}},
            "mounts": [
                {{"destination": "/proc", "type": "proc", "source": "proc"}},
                {mounts}
                {{"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}},
                {{"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]}}
            ],
            "linux": {{"namespaces": [{namespaces}]}}
        }}"#,
        mounts = mounts.concat(),
        socket = stage.path("probe.socket").display(),
        namespaces = namespaces.join(", "),
    );
    stage.create_directory("root");
    fs::write(stage.path("config.json"), configuration).expect("write a configuration");
}

fn succeeds(stage: &Stage, command: &mut Command) {
    let launch = stage.launch(command);
    assert_eq!(launch.status, 0, "{command:?}: {launch:?}");
}

#[test]
fn the_first_process_of_a_container_stays() {
    needs_root!();
    needs_tools!("crun");
    let stage = Stage::new();
    bundle(&stage, &["pid", "mount"], &[PROBE, "--exit-on", "SIGTERM"]);
    let running = stage.start(&mut crun(&stage, &["run", "container"]));
    let mut program = stage.daemon();
    program.assert_stays(FIRST);
    assert_eq!(program.sight.get("directory"), "/usr", "the image's WORKDIR");
    program.ask("stdout hello");
    succeeds(&stage, &mut crun(&stage, &["kill", "container", "TERM"]));
    let launch = running.end();
    assert_eq!((launch.status, launch.stdout.as_str()), (0, "hello\n"));
}

/// Which has no default action there, `pid_namespaces(7)`.
#[test]
fn the_first_process_of_a_container_ends_on_sigterm() {
    needs_root!();
    needs_tools!("crun");
    let stage = Stage::new();
    bundle(&stage, &["pid", "mount"], &[PROBE]);
    let running = stage.start(&mut crun(&stage, &["run", "container"]));
    let _program = stage.daemon();
    succeeds(&stage, &mut crun(&stage, &["kill", "container", "TERM"]));
    assert_eq!(running.end().status, 128 + 15);
}

/// What is started in a container from outside holds up whoever did that, unless there is a terminal.
#[test]
fn what_is_executed_in_a_container_stays_without_a_terminal() {
    needs_root!();
    needs_tools!("crun");
    let stage = Stage::new();
    bundle(&stage, &["pid", "mount"], &[PROBE]);
    let _running = stage.start(&mut crun(&stage, &["run", "container"]));
    let first = stage.daemon();
    let executing = stage.start(&mut crun(&stage, &["exec", "container", PROBE]));
    let mut second = stage.daemon();
    second.assert_stays(ELSEWHERE);
    second.send("exit 7");
    assert_eq!(executing.end().status, 7);

    let terminal = Terminal::open();
    let mut arranged = stage.command(ARRANGE);
    let exec = crun(&stage, &["exec", "--tty", "container", PROBE]);
    arranged.arg("--terminal").arg(&terminal.path).arg("--").arg(exec.get_program()).args(exec.get_args());
    succeeds(&stage, &mut arranged);
    let third = stage.daemon();
    third.assert_detached();
    eventually("its adoption", || (third.process.parent() == first.process.0).then_some(()));
}

#[test]
fn a_shell_that_is_the_first_process_of_a_container_goes_on() {
    needs_root!();
    needs_tools!("crun");
    let stage = Stage::new();
    bundle(&stage, &["pid", "mount"], &["/bin/sh", "-c", "\"$0\"; echo status $?; kill -9 $$; sleep 9", PROBE]);
    let running = stage.start(&mut crun(&stage, &["run", "container"]));
    let daemon = stage.daemon();
    daemon.assert_detached();
    succeeds(&stage, &mut crun(&stage, &["kill", "container", "KILL"]));
    assert_eq!(running.end().stdout, "status 0\n");
}

/// podman without state of its own on the machine, and without cgroups and network.
fn podman(stage: &Stage, command: &str) -> Command {
    let configuration = "[containers]\ndefault_ulimits = []\n[engine]\nlock_type = \"file\"\n";
    fs::write(stage.path("containers.conf"), configuration).expect("write a configuration");
    let mut podman = engine(stage, "podman");
    podman.env("CONTAINERS_CONF", stage.path("containers.conf"));
    podman.args(["--cgroup-manager=cgroupfs", "--storage-driver=vfs", "--events-backend=none"]);
    for option in ["--root", "--runroot", "--tmpdir"] {
        podman.arg(option).arg(stage.path(option.trim_start_matches('-')));
    }
    podman.arg(command);
    podman
}

/// `podman run --detach`, and what follows it.
fn podman_run(stage: &Stage, options: &[&str], command: &[&str]) {
    fs::create_dir_all(stage.path("tree")).expect("create a directory");
    let mut run = podman(stage, "run");
    run.args(["--detach", "--name=container", "--cgroups=disabled", "--network=none"]);
    run.args(["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--env=PROBE_SOCKET"]);
    for path in mounts(stage) {
        run.arg(format!("--volume={0}:{0}", path.display()));
    }
    succeeds(stage, run.args(options).arg("--rootfs").arg(stage.path("tree")).args(command));
}

#[test]
fn podman_runs_it_and_stops_it() {
    needs_root!();
    needs_tools!("podman", "crun", "conmon");
    let stage = Stage::new();
    podman_run(&stage, &[], &[PROBE, "--exit-on", "SIGTERM", "--pidfile", "/pid"]);
    let program = stage.daemon();
    program.assert_stays(FIRST);
    let executing = stage.start(podman(&stage, "exec").args(["container", PROBE]));
    let mut second = stage.daemon();
    second.assert_stays(ELSEWHERE);
    second.send("exit 7");
    assert_eq!(executing.end().status, 7);

    succeeds(&stage, podman(&stage, "stop").args(["--time=1000", "container"]));
    let exited = stage.launch(podman(&stage, "inspect").args(["--format={{.State.ExitCode}}", "container"]));
    assert_eq!(exited.stdout, "0\n");
    succeeds(&stage, podman(&stage, "rm").arg("container"));
}

/// Before the time is over, after which it would be killed.
#[test]
fn podman_stops_one_that_handles_nothing() {
    needs_root!();
    needs_tools!("podman", "crun", "conmon");
    let stage = Stage::new();
    podman_run(&stage, &[], &[PROBE, "--pidfile", "/pid"]);
    let _program = stage.daemon();
    succeeds(&stage, podman(&stage, "stop").args(["--time=1000", "container"]));
    let exited = stage.launch(podman(&stage, "inspect").args(["--format={{.State.ExitCode}}", "container"]));
    assert_eq!(exited.stdout, "143\n");
    assert!(!stage.path("tree/pid").exists());
    succeeds(&stage, podman(&stage, "rm").arg("container"));
}

#[test]
fn podman_starts_it_again_when_it_fails() {
    needs_root!();
    needs_tools!("podman", "crun", "conmon");
    let stage = Stage::new();
    podman_run(&stage, &["--restart=on-failure"], &[PROBE]);
    for _ in 0..2 {
        let mut program = stage.daemon();
        program.assert_stays(FIRST);
        program.send("exit 7");
    }
    let last = stage.daemon();
    succeeds(&stage, podman(&stage, "stop").args(["--time=1000", "container"]));
    assert!(!last.process.is_alive() && stage.no_daemon_reported(), "it was asked to stop");
    succeeds(&stage, podman(&stage, "rm").arg("container"));
}

/// The monitor of a container is the parent where that has the pid namespace of the machine, `--pid=host`.
#[test]
fn the_child_of_a_containers_monitor_stays() {
    needs_root!();
    needs_tools!("crun", "conmon");
    let stage = Stage::new();
    bundle(&stage, &["mount"], &[PROBE]);
    let mut conmon = engine(&stage, "conmon");
    conmon.args(["--api-version=1", "--cid=container", "--cuuid=container", "--name=container", "--full-attach"]);
    conmon.args(["--runtime=/usr/bin/crun", "--runtime-arg=--cgroup-manager=disabled", "--runtime-arg=--root"]);
    conmon.arg("--runtime-arg").arg(stage.path("state")).arg("--bundle").arg(stage.directory());
    conmon.arg("--container-pidfile").arg(stage.path("pid")).arg("--exit-dir").arg(stage.directory());
    conmon.arg("--log-path").arg(format!("k8s-file:{}", stage.path("log").display()));
    succeeds(&stage, &mut conmon);
    eventually("a container", || (!stage.read("pid").is_empty()).then_some(()));
    succeeds(&stage, &mut crun(&stage, &["start", "container"]));
    let program = stage.daemon();
    program.assert_stays("a supervisor: its parent is named conmon");
    assert_eq!(stage.read("pid"), program.process.0.to_string());
    program.process.signal(Signal::SIGTERM);
    eventually("the word of its monitor", || (stage.read("container") == "143").then_some(()));
}

fn bubblewrap(stage: &Stage, options: &[&str]) -> (Launcher, support::Daemon) {
    let mut bwrap = stage.command("bwrap");
    bwrap.args(["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--bind"]);
    bwrap.arg(stage.directory()).arg(stage.directory()).args(options).arg(PROBE);
    (stage.start(&mut bwrap), stage.daemon())
}

#[test]
fn in_a_sandbox_it_stays() {
    needs_root!();
    needs_tools!("bwrap");
    for (options, words) in [
        ([].as_slice(), "a supervisor: its parent is named bwrap"),
        (&["--unshare-pid", "--die-with-parent"], "a supervisor: its parent is named bwrap"),
        (&["--unshare-pid", "--as-pid-1"], FIRST),
    ] {
        let stage = Stage::new();
        let (sandbox, mut program) = bubblewrap(&stage, options);
        program.assert_stays(words);
        assert_eq!(Process(program.process.parent()).name(), "bwrap");
        program.send("exit 7");
        assert_eq!(sandbox.end().status, 7);
    }
}

/// systemd-nspawn's own process 1, with `--as-pid2`, and the program itself without.
#[test]
fn in_a_container_of_systemd_it_stays() {
    needs_root!();
    needs_tools!("systemd-nspawn");
    // It waits for READY=1, too, which a program says for itself.
    let notified = "a service manager: NOTIFY_SOCKET is set, and it has no terminal";
    for (option, variable, words) in [
        ("--as-pid2", "NOTIFY_SOCKET", "a supervisor: its parent is named (sd-stubinit)"),
        ("--as-pid2", "NOTHING", notified),
        ("--quiet", "NOTHING", FIRST),
    ] {
        let stage = Stage::new();
        stage.create_directory("root");
        for directory in ["usr", "etc"] {
            stage.create_directory(&format!("root/{directory}"));
        }
        for directory in ["bin", "lib", "lib64"] {
            symlink(format!("usr/{directory}"), stage.path("root").join(directory)).expect("link");
        }
        fs::write(stage.path("root/etc/os-release"), "").expect("write a file");
        let script = "umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 cgroup2 /sys/fs/cgroup \
            && mount -t tmpfs tmpfs /run";
        let mut container = stage.command_behind(script, "systemd-nspawn");
        container.args(["--quiet", "--register=no", "--keep-unit", "--pipe", "--machine=container", option]);
        container.arg("--setenv=PROBE_SOCKET").arg("--directory").arg(stage.path("root"));
        for path in mounts(&stage).into_iter().filter(|path| path != Path::new("/usr") && !path.is_symlink()) {
            container.arg(format!("--bind={}", path.display()));
        }
        let running = stage.start(container.args(["--bind-ro=/usr", "/usr/bin/env", "-u", variable, PROBE]));
        let mut program = stage.daemon();
        // On a busy machine, the program may look before its parent has given itself that name.
        let is_early = program.sight.get("launched_by").ends_with("(systemd-nspawn)");
        program.assert_stays(&if is_early { words.replace("sd-stubinit", "systemd-nspawn") } else { words.into() });
        program.send("exit 7");
        assert_eq!(running.end().status, 7);
    }
}

/// `--init` makes catatonit the first process, by another name.
#[test]
fn under_the_init_of_podman_it_stays() {
    needs_root!();
    needs_tools!("podman", "crun", "conmon", "catatonit");
    let stage = Stage::new();
    podman_run(&stage, &["--init"], &[PROBE]);
    let program = stage.daemon();
    program.assert_stays("a supervisor: its parent is named podman-init");
    succeeds(&stage, podman(&stage, "stop").args(["--time=1000", "container"]));
    let exited = stage.launch(podman(&stage, "inspect").args(["--format={{.State.ExitCode}}", "container"]));
    assert_eq!(exited.stdout, "143\n");
}
