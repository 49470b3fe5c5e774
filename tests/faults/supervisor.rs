//! Whatever call of a supervisor fails once the daemon is ready, and wherever it is killed: another daemon follows, or both
//! are gone. Neither is left alone.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use daemon_rt::{PidFile, Status};
use support::{DEADLINE, Daemon, Process, needs_root};

use super::{
    case::{Case, Fault, calls, cases},
    is_supported,
    run::{Event, Run},
    scene::{DAEMON_OF_NOBODY, Place, Scene},
};

const SUPERVISED: Scene =
    Scene { more: &["--respawn", "on-failure,1000,60000,1,1"], ..Scene::new("supervised", DAEMON_OF_NOBODY) };

/// How the daemons of one supervisor end.
const ENDS: [&str; 2] = ["crash", "exit 0"];

#[test]
fn whatever_fails_neither_is_left_alone() {
    needs_root!();
    if !is_supported() {
        return;
    }
    let place = SUPERVISED.place();
    let mut life = Life::begin(&place, &["--list".into()]).expect("a start");
    let at_start = life.run.calls.len();
    life.end().expect("a life");
    assert_eq!(life.daemons.len(), ENDS.len());
    let list = life.run.calls.clone();
    drop(life);
    let processes = SUPERVISED.processes();
    let at_start = calls(processes, &list[..at_start]).len();
    let calls = calls(processes, &list);
    let of_loop: Vec<_> = calls[at_start..].iter().filter(|call| call.process == "leader").collect();
    let is_of_loop = |case: &&Case| {
        // The launcher has left, and the tracer has let go of a daemon in `main`.
        let kills_another = matches!(case.fault, Fault::Kill(victim) if victim != "leader");
        !kills_another && of_loop.iter().any(|call| case.is_at(call))
    };
    let all = cases(processes, &calls);
    let next = Mutex::new(all.iter().filter(is_of_loop));
    let (wrong, hits) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let place = SUPERVISED.place();
                loop {
                    let Some(case) = next.lock().expect("the cases").next() else { return };
                    let tried = catch_unwind(AssertUnwindSafe(|| attempt(&place, case)));
                    match tried.unwrap_or_else(|_| Err("the test itself gave up".into())) {
                        Ok(is_hit) => _ = hits.fetch_add(usize::from(is_hit), SeqCst),
                        Err(why) => wrong.lock().expect("the list").push(format!("{case}  {why}")),
                    }
                    place.forget();
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("the list");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (hits, tried) = (hits.into_inner(), all.iter().filter(is_of_loop).count());
    assert!(hits > 100 && hits * 10 > tried * 9, "{hits} of {tried} were reached");
}

/// Whether the fault was there.
fn attempt(place: &Place, case: &Case) -> Result<bool, String> {
    let mut life = Life::begin(place, &case.arguments())?;
    life.end()?;
    // What fails once costs a line or a moment, and no daemon.
    if !matches!(case.fault, Fault::Kill(_)) && life.daemons.len() < ENDS.len() {
        return Err("no other daemon came".into());
    }
    let left = place.stage.processes();
    if !left.is_empty() {
        return Err(format!("left behind: {left:?}"));
    }
    match PidFile::new(place.stage.path("pid")).status() {
        Ok(Status::Stopped | Status::Stale) => Ok(life.run.is_hit),
        other => Err(format!("{other:?}")),
    }
}

/// A start, its daemons, and their ends.
struct Life<'place> {
    place: &'place Place,
    run: Run,
    daemons: Vec<Daemon>,
}

impl<'place> Life<'place> {
    /// Until the launcher has ended well.
    fn begin(place: &'place Place, options: &[String]) -> Result<Self, String> {
        let mut run = Run::start(&SUPERVISED, place, options);
        loop {
            match run.next()? {
                Event::Exit(0) => return Ok(Self { place, run, daemons: Vec::new() }),
                Event::Exit(status) => return Err(format!("exit status {status}: {:?}", run.output())),
                _ => {}
            }
        }
    }

    /// Ends each daemon that comes, until nobody is there. One whose supervisor is gone has to end by itself.
    fn end(&mut self) -> Result<(), String> {
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            // One that is killed meanwhile neither reports nor hears.
            let report = || self.place.stage.daemon_within(Duration::from_millis(10));
            if let Ok(Some(mut daemon)) = catch_unwind(AssertUnwindSafe(report)) {
                let how = ENDS[self.daemons.len().min(ENDS.len() - 1)];
                let has_supervisor = || daemon.process.stat(6)?.parse().ok().map(Process);
                if has_supervisor().is_some_and(Process::is_alive) {
                    let _ = catch_unwind(AssertUnwindSafe(|| daemon.send(how)));
                }
                self.daemons.push(daemon);
            }
            if self.run.next_within(Duration::from_millis(1)) == Some(Event::End) {
                return Ok(());
            }
        }
        Err("it hangs".into())
    }
}
