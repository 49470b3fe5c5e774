//! Upgrades under load: no connection is refused or cut.

use std::{
    net::TcpStream,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
};

use support::{DEADLINE, eventually, http, is_root};

use super::Service;
use crate::PROBE;

const CLIENTS: usize = 8;
const UPGRADES: usize = 20;

fn stay_answered(options: &[&str]) {
    let service = Service::new();
    let stage = &service.stage;
    let mut command = service.command(&[&["--serve-gracefully", "port", "--notify"], options].concat());
    let launch = stage.launch(&mut command);
    assert_eq!((launch.status, launch.stderr.as_str()), (0, ""), "{options:?}");
    let port: u16 = stage.read("port").parse().expect("a port");
    let connect = || TcpStream::connect(("127.0.0.1", port)).expect("it is never refused");
    let (is_over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !is_over.load(SeqCst) {
                    assert!(http::get(connect(), "/").starts_with("200 OK: "), "never cut");
                    served.fetch_add(1, SeqCst);
                }
            });
        }
        let _over = Over(&is_over);
        for _ in 0..UPGRADES {
            // A long request, of which the old process has a part.
            let mut long = connect();
            http::begin(&mut long, "/");
            let before = http::get(connect(), "/"); // accepted behind the long one
            service.install(PROBE);
            service.pidfile().upgrade(DEADLINE).expect("an upgrade");
            let after = eventually("the new one answers alone", || {
                let answers = [(); 4].map(|()| http::get(connect(), "/"));
                answers.iter().all(|answer| *answer == answers[0] && *answer != before).then(|| answers[0].clone())
            });
            assert_ne!(before, after);
            assert_eq!(http::finish(long), before, "the old one finishes it");
        }
    });
    assert!(served.into_inner() > UPGRADES);
    service.pidfile().stop(DEADLINE).expect("a stop");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens any more");
    assert_eq!(stage.processes(), []);
}

/// Dropped, it lets the clients end.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn no_connection_is_refused_or_cut() {
    stay_answered(&[]);
}

#[test]
fn nor_as_another_user_and_in_a_jail() {
    if is_root() {
        stay_answered(&["--user", "nobody", "--chroot", "."]);
    }
}
