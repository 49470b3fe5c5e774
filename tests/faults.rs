//! Whatever system call of a start fails, in the launcher, the leader or the daemon: either one line says which program
//! and which step, and nothing is left, or the daemon is there, whole.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    thread,
    time::Instant,
};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use support::{needs_root, skip};

use self::{
    case::{Case, calls, cases},
    judge::{Good, Outcome, good, judge},
    scene::{Place, Scene},
    table::{Row, Table},
};
use crate::{INJECT, MARKED};

mod case;
mod errors;
mod judge;
mod run;
mod scene;
mod slow_leader;
mod supervisor;
mod table;
mod upgrade;
mod whole;

/// Of the cases of a start, one of so many is tried unless `FAULTS` is set. Most scenes make the same calls, and each tries
/// others of their cases.
const SHARE: usize = 5;

/// How often a call is waited for that is not made in every start.
const ATTEMPTS: usize = 3;

const BARE: Scene = Scene::new("bare", &[]);

#[test]
fn a_bare_detach() {
    whatever_fails(&BARE);
}

const NOTIFYING: Scene = Scene::new(
    "notifying",
    &[
        "--notify",
        "--ready",
        "--ready-fd",
        "8",
        "--pidfile",
        "pid",
        "--stdout",
        "log",
        "--reopen-logs",
        "--stop-requested",
        "--stop-timeout",
        "60000",
    ],
);

#[test]
fn a_daemon_that_says_when_it_is_ready() {
    whatever_fails(&NOTIFYING);
}

const ROTATING: Scene = Scene::new("rotating", &["--stdout", "rotate:1000,2:log"]);

#[test]
fn a_daemon_that_rotates_its_log() {
    whatever_fails(&ROTATING);
}

const UNPRIVILEGED: Scene = Scene {
    has_groups: true,
    ..Scene::new(
        "unprivileged",
        &["--notify", "--ready", "--pidfile", "pid", "--stdout", "log", "--user", "nobody", "--no-new-privs"],
    )
};

#[test]
fn a_daemon_that_gives_up_root() {
    needs_root!();
    whatever_fails(&UNPRIVILEGED);
}

const LOGGING_AS_USER: Scene = Scene {
    has_groups: true,
    is_nobodys: true,
    ..Scene::new("logging as user", &["--stdout", "log", "--user", "nobody"])
};

#[test]
fn a_log_that_is_opened_as_the_user() {
    needs_root!();
    whatever_fails(&LOGGING_AS_USER);
}

const JAILED: Scene = Scene {
    has_manager: true,
    ..Scene::new(
        "jailed",
        &[
            "--detach",
            "always",
            "--notify",
            "--ready",
            "--chroot",
            "jail",
            "--connect",
            "--stdin",
            "data/input",
            "--keep-fds",
            "9",
            "--pidfile",
            "pid",
            "--stdout",
            "log",
            "--stderr",
            "nothing",
        ],
    )
};

#[test]
fn in_a_jail_under_a_manager() {
    needs_root!();
    whatever_fails(&JAILED);
}

const FOREGROUND: Scene = Scene::new(
    "foreground",
    &["--foreground", "--ready-fd", "8", "--pidfile", "pid", "--umask", "027", "--chdir", "/"],
);

#[test]
fn in_the_foreground() {
    whatever_fails(&FOREGROUND);
}

const SPAWNED: Scene =
    Scene::new("spawned", &["--spawn", "--notify", "--ready", "--pidfile", "pid", "--stdout", "log"]);

const STARTED: Scene = Scene::new("started", &["--start", "--notify", "--ready", "--pidfile", "pid"]);

#[test]
fn a_daemon_without_the_attribute() {
    whatever_fails(&STARTED);
}

#[test]
fn a_daemon_of_a_program_that_goes_on() {
    whatever_fails(&SPAWNED);
}

#[test]
fn a_directory_that_cannot_be_looked_at_is_no_way_out_of_a_jail() {
    needs_root!();
    if !is_supported() {
        return;
    }
    let place = JAILED.place();
    for occurrence in 1.. {
        let fault = ["--at", "daemon", "newfstatat", &occurrence.to_string(), "error=12", "--", MARKED];
        let options = ["--chroot", "jail", "--open-directory", "."];
        let launch = place.stage.launch(place.stage.command(INJECT).args(fault).args(options));
        assert!(launch.stderr.starts_with("marked: "), "{launch:?}");
        assert!(place.stage.no_daemon_reported());
        if !launch.stdout.contains("hit") {
            assert_ne!(occurrence, 1);
            return;
        }
    }
}

/// Nothing else has the leader wait for word.
#[test]
fn a_daemon_that_could_not_be_asked_to_stop_is_none() {
    if !is_supported() {
        return;
    }
    let place = BARE.place();
    let fault = ["--at", "daemon", "socketpair", "1", "error=24", "--", MARKED];
    let launch = place.stage.launch(place.stage.command(INJECT).args(fault).arg("--stop-requested"));
    let line = "marked: cannot wait for a request to stop: Too many open files (os error 24)\n";
    assert_eq!(launch.stderr, line);
    assert!(place.stage.no_daemon_reported());
}

/// It ends the daemon instead: `READY=1` would name one that is gone. Its `ready` fails meanwhile, and as far as it gets
/// before it is ended, it says so, which stands above the launcher's line, and takes its leave of the manager. Why the
/// start failed, the launcher tells.
#[test]
fn a_leader_that_cannot_tell_of_readiness_tells_no_manager() {
    needs_root!();
    if !is_supported() {
        return;
    }
    let place = JAILED.place();
    let fault = ["--at", "leader", "sendto", "1", "error=105", "--", MARKED];
    let options = ["--detach", "always", "--notify", "--ready"];
    let mut command = place.stage.command(INJECT);
    let launch =
        place.stage.launch(command.env("NOTIFY_SOCKET", place.stage.path("data/manager")).args(fault).args(options));
    assert!(launch.stdout.contains("hit"), "{launch:?}");
    let line = "marked: the session leader ended before it was ready: signal: 9 (SIGKILL)\n";
    let said = launch.stderr.strip_suffix(line).expect(&launch.stderr);
    let whole = "Error: cannot report readiness: the launcher has gone";
    assert!(whole.starts_with(said.trim_end()), "{said}");
    let heard = place.heard();
    let told =
        ["STATUS=the session leader ended before it was ready: signal: 9 (SIGKILL)", "EXIT_STATUS=137", "ERRNO=0"];
    assert!(told.iter().all(|told| heard.lines().any(|line| line == *told)), "{heard}");
    assert!(heard.lines().all(|line| told.contains(&line) || line == "STOPPING=1"), "{heard}");
}

/// Tries every case, writes the table of them, and fails for each that did not come out right.
fn whatever_fails(scene: &Scene) {
    if !is_supported() {
        return;
    }
    // What the others do, they do without it as well.
    let is_wanted = |case: &Case| !scene.has("--spawn") || case.concerns_client();
    let (good, list) = thread::scope(|scope| scope.spawn(|| good(scene)).join()).expect("a good start");
    let mut cases = cases(scene.processes(), &calls(scene.processes(), &list));
    cases.retain(is_wanted);
    if std::env::var_os("FAULTS").is_none() {
        cases = cases.into_iter().step_by(SHARE).collect();
    }
    let table = try_all(scene, &good, &cases);
    table.show(scene.name);
    assert_eq!(table.wrong(), "");
    assert!(table.unreached() * 50 < cases.len(), "{} calls were not reached", table.unreached());
}

/// The registers of a traced process have other names elsewhere.
fn is_supported() -> bool {
    let supported = cfg!(target_arch = "x86_64");
    if !supported {
        skip("x86_64");
    }
    supported
}

/// As many at once as there are processors, on one of which a tracer and those whom it traces are quickest.
fn try_all<'case>(scene: &Scene, good: &Good, cases: &'case [Case]) -> Table<'case> {
    let next = Mutex::new(cases.iter().enumerate());
    let rows = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for processor in processors() {
            let (next, rows) = (&next, &rows);
            scope.spawn(move || {
                sched_setaffinity(Pid::from_raw(0), &processor).expect("stay on one processor");
                let mut place = scene.place();
                loop {
                    let Some((index, case)) = next.lock().expect("the cases").next() else { return };
                    let start = Instant::now();
                    let outcome = attempt(scene, &place, good, case);
                    if outcome.is_err() {
                        drop(place);
                        place = scene.place();
                    }
                    rows.lock().expect("the rows").insert(index, Row { case, outcome, time: start.elapsed() });
                }
            });
        }
    });
    Table(rows.into_inner().expect("the rows"))
}

fn attempt(scene: &Scene, place: &Place, good: &Good, case: &Case) -> Result<Outcome, String> {
    let once = || catch_unwind(AssertUnwindSafe(|| judge(scene, place, good, case)));
    let mut attempts = (0..ATTEMPTS).map(|_| once().unwrap_or_else(|_| Err("the test itself gave up".into())));
    attempts.find(|outcome| *outcome != Ok(Outcome::Unreached)).unwrap_or(Ok(Outcome::Unreached))
}

/// Those on which this test may run.
fn processors() -> Vec<CpuSet> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).expect("the processors");
    let numbers = (0..CpuSet::count()).filter(|number| allowed.is_set(*number).unwrap_or(false));
    let alone = numbers.map(|number| {
        let mut processor = CpuSet::new();
        processor.set(number).map(|()| processor).expect("a processor")
    });
    alone.collect()
}
