//! What systemd does in place of the option `respawn`: it starts a program again that failed, and keeps its sockets.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
};

use nix::sys::signal::Signal;
use support::{Process, Systemd, eventually};

use super::UNIT;
use crate::PROBE;

const PORT: u16 = 7000;
const CLIENTS: usize = 4;

const SOCKET: &str = "
    [Socket]
    ListenStream=127.0.0.1:7000
";

const RESTARTED: &str = "
    [Unit]
    StartLimitIntervalSec=0

    [Service]
    Type=notify
    ExecStart=/usr/bin/probe --serve-passed --notify
    Restart=on-failure
";

/// The process that answers, if it does not end instead. A connection that is refused is a panic.
fn ask(systemd: &Systemd, path: &str) -> Option<i32> {
    let mut connection = systemd.connect(PORT);
    connection.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    let read = connection.read_to_string(&mut answer);
    assert!(!read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "no answer in time");
    answer.split_once("\r\n\r\n")?.1.parse().ok()
}

fn id(systemd: &Systemd) -> i32 {
    eventually("an answer", || ask(systemd, "/"))
}

/// Has others ask all the time while that is done. Returns how many connections were cut.
fn cut_by(systemd: &Systemd, done: impl FnOnce()) -> usize {
    let (is_over, cut, served) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !is_over.load(SeqCst) {
                    let count = if ask(systemd, "/").is_some() { &served } else { &cut };
                    count.fetch_add(1, SeqCst);
                }
            });
        }
        let done = catch_unwind(AssertUnwindSafe(done));
        is_over.store(true, SeqCst); // or they would be waited for in vain
        done.unwrap_or_else(|panic| resume_unwind(panic));
    });
    assert!(served.into_inner() > CLIENTS);
    cut.into_inner()
}

/// It fails, and is another file from then on.
fn nobody_is_refused(systemd: &Systemd) {
    let first = id(systemd);
    let cut = cut_by(systemd, || {
        for path in ["/crash", "/exit", "/crash", "/exit", "/crash", "/exit"] {
            assert_eq!(ask(systemd, path), None, "{path}");
        }
        assert_ne!(id(systemd), first);
    });
    assert_eq!(cut, 0);
    let (program, new) = (systemd.path("/usr/bin/probe"), systemd.path("/usr/bin/new"));
    let cut = cut_by(systemd, || {
        fs::copy(&program, &new).expect("copy");
        fs::rename(&new, &program).expect("rename");
        assert_eq!(systemd.systemctl(&["restart", UNIT]).status, 0);
        assert_eq!(systemd.state(UNIT), format!("active running success {}", id(systemd)));
    });
    assert!(cut <= 1, "{cut} connections, where one can be served at a time");
}

#[test]
fn a_socket_unit_keeps_the_socket() {
    let Some(systemd) = Systemd::boot(&[PROBE], &[("probe.socket", SOCKET), (UNIT, RESTARTED)]) else { return };
    assert_eq!(systemd.start("probe.socket").status, 0);
    nobody_is_refused(&systemd);
}

/// Its limit is five starts in ten seconds.
#[test]
fn with_a_limit_on_starts_the_socket_goes_with_the_service() {
    let limited = RESTARTED.replace("StartLimitIntervalSec=0", "");
    let Some(systemd) = Systemd::boot(&[PROBE], &[("probe.socket", SOCKET), (UNIT, &limited)]) else { return };
    assert_eq!(systemd.start("probe.socket").status, 0);
    for _ in 0..5 {
        assert_eq!(ask(&systemd, "/crash"), None);
    }
    eventually("the end of the socket", || {
        (systemd.show("probe.socket", &["ActiveState", "Result"]) == "failed service-start-limit-hit").then_some(())
    });
}

/// The program itself has bound the socket.
#[test]
fn the_file_descriptor_store_keeps_the_socket() {
    let stored = format!("{RESTARTED}FileDescriptorStoreMax=1\n");
    let Some(systemd) = Systemd::boot(&[PROBE], &[(UNIT, &stored)]) else { return };
    assert_eq!(systemd.start(UNIT).status, 0);
    nobody_is_refused(&systemd);
    let environment = fs::read(systemd.path(&format!("/proc/{}/environ", id(&systemd)))).expect("an environment");
    assert!(String::from_utf8_lossy(&environment).contains("LISTEN_FDNAMES=http\0"));
}

/// With `Type=forking` the option does it, and systemd sees a main process that goes on.
#[test]
fn a_service_that_detaches_stays_the_same_while_its_daemon_is_started_again() {
    let Some(systemd) = Systemd::boot(
        &[PROBE],
        &[(
            UNIT,
            "
            [Service]
            Type=forking
            PIDFile=/run/probe.pid
            ExecStart=/usr/bin/probe --respawn on-failure,1000,60000,1,1
            ",
        )],
    ) else {
        return;
    };
    let mut daemon = systemd.started(UNIT);
    let supervisor = Process(daemon.process.parent());
    let state = format!("active running success {}", daemon.sight.get("session"));
    for _ in 0..3 {
        daemon.send("crash");
        daemon = systemd.daemon();
        assert_eq!((Process(daemon.process.parent()), systemd.state(UNIT)), (supervisor, state.clone()));
    }
    assert_eq!(systemd.systemctl(&["stop", UNIT]).status, 0);
    assert_eq!(systemd.state(UNIT), "inactive dead success 0");
    assert!(!daemon.process.is_alive());

    let daemon = systemd.started(UNIT);
    Process(daemon.process.parent()).signal(Signal::SIGKILL);
    eventually("the end", || (systemd.show(UNIT, &["ActiveState", "Result"]) == "failed signal").then_some(()));
    assert!(!daemon.process.is_alive());
}
