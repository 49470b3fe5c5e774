//! A leader that is to be the supervisor, and takes its time behind its report: it may be stopped, or the machine busy.

use support::eventually;

use super::{
    is_supported,
    run::{Event, Run},
    scene::{Place, Scene},
};

const SUPERVISED: Scene = Scene::new("supervised slowly", &["--respawn", "on-failure", "--notify", "--ready"]);

/// The start with these options of the tracer, and the exit status of the launcher.
fn start(place: &Place, options: &[&str]) -> (Run, i32) {
    let options: Vec<_> = options.iter().copied().map(str::to_owned).collect();
    let mut run = Run::start(&SUPERVISED, place, &options);
    loop {
        if let Event::Exit(status) = run.next().expect("the launcher ends") {
            return (run, status);
        }
    }
}

/// By which the launcher is told that `ready` was answered.
fn last_send(place: &Place) -> String {
    let (mut run, status) = start(place, &["--list"]);
    assert_eq!(status, 0);
    let mut daemon = place.stage.daemon();
    daemon.send("exit 0");
    let count = run.calls.iter().filter(|call| call.starts_with("leader sendto ")).count();
    run.reach_end().expect("the end of both");
    count.to_string()
}

#[test]
fn it_is_waited_for() {
    if !is_supported() {
        return;
    }
    let place = SUPERVISED.place();
    let last = last_send(&place);
    let (mut run, status) = start(&place, &["--at", "leader", "sendto", &last, "delay=1300"]);
    assert_eq!((status, run.is_hit), (0, true));
    let mut daemon = place.stage.daemon();
    daemon.send("exit 0");
    run.reach_end().expect("the end of both");
}

#[test]
fn but_not_for_ever() {
    if !is_supported() {
        return;
    }
    let place = SUPERVISED.place();
    let last = last_send(&place);
    let (mut run, status) = start(&place, &["--at", "leader", "sendto", &last, "delay=20000"]);
    assert_eq!((status, run.is_hit), (1, true));
    assert_eq!(run.output().expect("an output"), "marked: the session leader did not report in time\n");
    eventually("nobody is left behind", || place.stage.processes().is_empty().then_some(()));
}
