//! The service linked statically, as the only file that there is: without libraries, databases, /proc and /dev.

use std::{fs, net::SocketAddr};

use nix::sys::{signal::Signal, wait::WaitStatus};
use support::{Stage, eventually, http::get, is_static, needs_root, needs_tools};

use super::{address, connect, logged, logged_in, supervised};
use crate::cargo::example;

/// A stage with a directory `root` that has the program, and nothing else.
fn stage() -> Option<Stage> {
    let service = example("service");
    if !is_static(&service) {
        return None;
    }
    let stage = Stage::new();
    stage.create_directory("root");
    fs::rename(stage.copy(service), stage.path("root/service")).expect("move the program");
    Some(stage)
}

/// Asks it where it says that it listens, and returns that.
fn answers(stage: &Stage, log: &str) -> SocketAddr {
    let address = address(&logged_in(stage, log, 1)[0]);
    assert_eq!(get(connect(address), "/"), "200 OK: hello\n");
    address
}

#[test]
fn in_a_container_it_stays_and_stops() {
    needs_root!();
    needs_tools!("bwrap");
    let Some(stage) = stage() else { return };
    let mut container = stage.command("sh");
    container.args(["-c", "exec \"$@\" 2>service.log", "sh", "bwrap", "--unshare-pid", "--as-pid-1"]);
    container.args(["--ro-bind", "root", "/", "/service", "--listen", "127.0.0.1:0"]);
    let running = stage.start(&mut container);
    let address = answers(&stage, "service.log");
    let first = eventually("process 1", || running.process.child());
    first.signal(Signal::SIGTERM);
    assert_eq!(running.end().status, 0);
    let listening = format!("listening on {address} launched_by=\"a container: its process id is 1\"");
    assert_eq!(logged(&stage, 3), [&listening, "stopping", "every request is answered"]);
}

/// It asks for the null device, and needs nothing else.
#[test]
fn by_hand_it_detaches() {
    needs_root!();
    needs_tools!("chroot", "unshare");
    let Some(stage) = stage() else { return };
    let arguments = ["root", "/service", "--listen", "127.0.0.1:0", "--log", "/service.log", "--pidfile", "/pid"];
    let line = "service: cannot open /dev/null: No such file or directory (os error 2)";
    stage.refuses(stage.command("chroot").args(arguments), line);

    let script = "mkdir root/dev && touch root/dev/null && mount --bind /dev/null root/dev/null";
    let launch = stage.launch(stage.command_behind(script, "chroot").args(arguments));
    assert_eq!((launch.status, launch.stdout.as_str(), launch.stderr.as_str()), (0, "", ""));
    let (supervisor, _) = eventually("a supervisor", || supervised(&stage));
    answers(&stage, "root/service.log");
    assert_eq!(stage.read("root/pid").trim_end(), supervisor.0.to_string());
    supervisor.signal(Signal::SIGTERM);
    assert!(matches!(supervisor.wait(), WaitStatus::Exited(_, 0)));
    assert!(!stage.path("root/pid").exists());
}
