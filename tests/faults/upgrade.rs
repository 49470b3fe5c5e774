//! Whatever call fails in an upgrade, of the old supervisor or of the new program, and whoever is killed there: either the
//! new one runs alone, or the old one runs on. Where a supervisor is killed, nobody may be there at all.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use daemon_rt::{PidFile, Status, Stopped};
use support::{DEADLINE, Process, needs_root, within};

use super::{
    case::{Call, Case, Fault, calls},
    errors::errors,
    is_supported,
    run::{Event, Run},
    scene::{DAEMON_OF_NOBODY, Place, Scene},
};

const UPGRADED: Scene = Scene {
    more: &["--respawn", "on-failure", "--connect", "--socket", "tcp@20", "--start-timeout", "2000"],
    ..Scene::new("upgraded", DAEMON_OF_NOBODY)
};

const PROCESSES: [&str; 6] = ["launcher", "leader", "daemon", "new-launcher", "new-leader", "new-daemon"];

/// How long an upgrade may take whose end nobody can be told.
const PATIENCE: Duration = Duration::from_secs(6);

const SETTLED: Duration = Duration::from_millis(40);

#[test]
fn whatever_fails_there_is_one() {
    needs_root!();
    if !is_supported() {
        return;
    }
    let (of_start, of_both) = {
        let place = UPGRADED.place();
        let mut life = Life::begin(&place, &["--list".into()]).expect("a start");
        let of_start = calls(&PROCESSES, &life.run.calls).len();
        assert_eq!(life.upgrade(), Ok(Now::New));
        life.end().expect("an end");
        (of_start, calls(&PROCESSES, &life.run.calls))
    };
    let is_of_upgrade = |call: &&Call| !["launcher", "daemon"].contains(&call.process.as_str());
    // A child that may be signalled always can be.
    let of_upgrade = of_both[of_start..].iter().filter(is_of_upgrade).filter(|call| call.name != "kill");
    let cases = cases(&of_upgrade.collect::<Vec<_>>());
    let next = Mutex::new(cases.iter());
    let (wrong, hits) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut place = UPGRADED.place();
                loop {
                    let Some(case) = next.lock().expect("the cases").next() else { return };
                    let tried = catch_unwind(AssertUnwindSafe(|| attempt(&place, case)));
                    match tried.unwrap_or_else(|_| Err("the test itself gave up".into())) {
                        Ok(is_hit) => _ = hits.fetch_add(usize::from(is_hit), SeqCst),
                        Err(why) => {
                            wrong.lock().expect("the list").push(format!("{case}  {why}"));
                            place = UPGRADED.place();
                        }
                    }
                    place.forget();
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("the list");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let hits = hits.into_inner();
    println!("{} cases, {hits} reached", cases.len());
    assert!(hits * 10 > cases.len() * 8, "{hits} of {} were reached", cases.len());
}

/// Every error of every call, of those cases in whose row `FAULTS` is a part. Without that, a few.
fn cases(calls: &[&Call]) -> Vec<Case> {
    let part = std::env::var("FAULTS").ok();
    let mut seen = BTreeMap::new();
    let mut cases = Vec::new();
    for call in calls {
        let before = seen.entry((&call.process, &call.name)).or_insert(0);
        let at_call = cases_at(call);
        let number = if part.is_some() { at_call.len() } else { few(&call.process, *before, at_call.len()) };
        cases.extend(at_call.into_iter().take(number));
        *before += 1;
    }
    cases.retain(|case| part.as_ref().is_none_or(|part| case.to_string().contains(part)));
    cases
}

/// How many of these cases, where there were so many calls of that kind before. The start of the new program fails as others
/// do.
fn few(process: &str, before: usize, cases: usize) -> usize {
    match (process, before) {
        ("leader", 0) => 3,
        ("leader", _) => 2,
        (_, 0) if cases > 1 => 2,
        _ => 0,
    }
}

/// A kill, and the errors.
fn cases_at(call: &Call) -> Vec<Case> {
    let all = errors(&call.name).unwrap_or_else(|| panic!("add the errors of {} to tests/faults/errors.rs", call.name));
    let errors = all.into_iter().map(if call.name == "close" { Fault::LateError } else { Fault::Error });
    let own = PROCESSES.into_iter().find(|process| *process == call.process).map(Fault::Kill);
    own.into_iter().chain(errors).map(|fault| Case::at(call, fault)).collect()
}

/// Whether the fault was there.
fn attempt(place: &Place, case: &Case) -> Result<bool, String> {
    let mut life = Life::begin(place, &case.arguments())?;
    let now = life.upgrade()?;
    life.end()?;
    let may_be_none = matches!(case.fault, Fault::Kill("leader" | "new-leader"));
    if now == Now::None && !may_be_none { Err("nobody is there".into()) } else { Ok(life.run.is_hit) }
}

#[derive(Debug, PartialEq)]
enum Now {
    Old,
    New,
    None,
}

struct Life<'place> {
    place: &'place Place,
    run: Run,
    old: Process,
}

impl<'place> Life<'place> {
    /// Until the launcher has ended well.
    fn begin(place: &'place Place, options: &[String]) -> Result<Self, String> {
        let options = [&["--upgrade".to_owned()], options].concat();
        let mut run = Run::start(&UPGRADED, place, &options);
        loop {
            match run.next()? {
                Event::Exit(0) => break,
                Event::Exit(status) => return Err(format!("exit status {status}: {:?}", run.output())),
                _ => {}
            }
        }
        let number = place.stage.read("pid").trim_end().parse().map_err(|error| format!("{error}"))?;
        Ok(Self { place, run, old: Process(number) })
    }

    fn pidfile(&self) -> PidFile {
        PidFile::new(self.place.stage.path("pid"))
    }

    /// And who is there then.
    fn upgrade(&mut self) -> Result<Now, String> {
        let upgraded = self.pidfile().upgrade(PATIENCE);
        let stage = &self.place.stage;
        let parent = |process: Process| process.stat(4)?.parse().ok().map(Process);
        let look = || {
            let there: Vec<_> = stage.processes().into_iter().filter(|process| process.name() == "marked").collect();
            let status = self.pidfile().status().ok()?;
            match (&there[..], status) {
                ([], Status::Stopped | Status::Stale) => Some(Now::None),
                (&[one, other], Status::Running { pid, .. }) => {
                    let supervisor = Process(pid.cast_signed());
                    let is_whole = [(one, other), (other, one)]
                        .into_iter()
                        .any(|(one, other)| one == supervisor && parent(other) == Some(supervisor));
                    is_whole.then_some(if supervisor == self.old { Now::Old } else { Now::New })
                }
                _ => None,
            }
        };
        let now = within(DEADLINE, || {
            let seen = look()?;
            // Not one that is about to end.
            let is_over = within(SETTLED, || look().is_none_or(|now| now != seen).then_some(()));
            is_over.is_none().then_some(seen)
        });
        let said = || {
            let (there, status) = (stage.processes(), self.pidfile().status());
            format!("{upgraded:?} {there:?} {status:?}: {}", stage.read("log"))
        };
        match now {
            None => Err(format!("left: {}", said())),
            Some(Now::Old) if upgraded.is_ok() => Err(format!("it is not true: {}", said())),
            Some(now) => Ok(now),
        }
    }

    fn end(&mut self) -> Result<(), String> {
        match self.pidfile().stop(Duration::from_secs(8)) {
            Ok(Stopped::Killed) => return Err(format!("killed: {}", self.place.stage.read("log"))),
            Ok(Stopped::Terminated | Stopped::NotRunning) => {}
            other => return Err(format!("{other:?}")),
        }
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            if self.run.next_within(Duration::from_millis(5)) == Some(Event::End) {
                return Ok(());
            }
        }
        Err(format!("it hangs: {:?}", self.place.stage.processes()))
    }
}
