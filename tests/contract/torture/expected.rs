//! What has to have come of a step.

use std::{fs, os::unix::fs::MetadataExt, sync::PoisonError, time::Duration};

use daemon_rt::{Status, Stopped};
use support::{Launch, Process};

use super::{
    Round,
    actors::Outcome,
    lines,
    plan::{Action, By, Fault, Stop, Version},
    state::Held,
};

impl Round<'_> {
    pub(super) fn check(
        &self,
        step: &[(Duration, Action)],
        before: Option<Held>,
        outcomes: &[Outcome],
        after: Option<Held>,
    ) {
        let actions: Vec<_> = step.iter().map(|(_, action)| *action).collect();
        let has = |is: fn(&Action) -> bool| actions.iter().any(is);
        let installs = has(|action| matches!(action, Action::Upgrade { version, .. } if *version != Version::Good));
        if !installs {
            for outcome in outcomes {
                self.check_words(outcome);
            }
        }
        let starts = has(|action| matches!(action, Action::Start | Action::Restart));
        let ends = actions.iter().any(|action| !self.options.survives(*action));
        if before.is_some() && !ends {
            assert!(after.is_some(), "nothing ended it");
            let upgrades = has(|action| matches!(action, Action::Upgrade { .. }));
            let is_same = before.map(|held| held.holder) == after.map(|held| held.holder);
            assert!(is_same || upgrades && self.options.can_be_upgraded(), "it is another one");
            let is_running = |seen: &_| matches!(seen, Ok(Status::Running { .. }));
            for outcome in outcomes {
                assert!(!matches!(outcome, Outcome::Seen(seen) if !seen.iter().all(is_running)), "{outcome:?}");
                let starts = matches!(outcome, Outcome::Started(_, Launch { status: 0, .. }));
                assert!(!starts, "a second one: {outcome:?}");
            }
        }
        if before.is_none() && !has(|action| matches!(action, Action::Start | Action::Restart)) {
            assert_eq!(after, None, "nothing started it");
        }
        let all_start = actions.iter().all(|action| matches!(action, Action::Start));
        if before.is_none() && all_start {
            let is_good = |outcome: &&Outcome| matches!(outcome, Outcome::Started(_, Launch { status: 0, .. }));
            assert_eq!(outcomes.iter().filter(is_good).count(), 1, "one of them starts: {outcomes:?}");
        }
        let kills = has(|action| matches!(action, Action::Kill { .. }));
        for (action, outcome) in actions.iter().zip(outcomes) {
            let is_stopped = match outcome {
                Outcome::Stopped(Ok(_)) => true,
                Outcome::Said(_, launch) => launch.status == 0 && matches!(action, Action::Stop(_)),
                Outcome::Stopped(Err(error)) => {
                    assert!(kills, "cannot stop it: {error}");
                    false
                }
                _ => false,
            };
            assert!(!is_stopped || starts || after.is_none(), "{outcome:?}, and {after:?} runs");
        }
        if let ([action], [outcome]) = (&actions[..], outcomes) {
            self.check_alone(*action, outcome, before, after);
        }
    }

    /// Of one that nobody disturbs.
    fn check_alone(&self, action: Action, outcome: &Outcome, before: Option<Held>, after: Option<Held>) {
        let is_gone = || !self.stage.path("pid").exists();
        match (action, outcome) {
            (Action::Start, Outcome::Started(_, launch)) => match before {
                None => assert!(launch.status == 0 && after.is_some(), "{launch:?}"),
                Some(Held { holder, .. }) => {
                    let line = format!("already running as process {}", holder.0);
                    assert!(launch.status == 1 && launch.stderr.contains(&line), "{launch:?}");
                    assert_eq!(before, after);
                }
            },
            (Action::Restart, Outcome::Started(_, launch)) => {
                assert!(launch.status == 0 && after.is_some(), "{launch:?}");
                assert_ne!(before.map(|held| held.holder), after.map(|held| held.holder));
            }
            (Action::FailToStart(fault), Outcome::Started(_, launch)) => {
                assert!(launch.status != 0, "{launch:?}");
                assert_eq!(before, after);
                assert!(
                    before.is_some() || is_gone() || matches!(fault, Fault::Descriptors(_)),
                    "its pidfile is there"
                );
            }
            (Action::Stop(stop), outcome) => self.check_stop(stop, outcome, before, after),
            (Action::Crash(_), _) => match (before, after) {
                (Some(before), Some(after)) => {
                    assert!(before.holder == after.holder && before.daemon != after.daemon);
                }
                (Some(_), None) => assert!(!self.options.respawn, "no other daemon follows"),
                (None, _) => {}
            },
            (Action::Upgrade { version, by }, outcome) => self.check_upgrade(version, by, outcome, before, after),
            (Action::Reload { .. }, outcome) => {
                assert_eq!(before, after);
                let done = match outcome {
                    Outcome::Reloaded(reloaded) => reloaded.is_ok(),
                    Outcome::Said(_, launch) => launch.status == 0,
                    _ => unreachable!("{outcome:?}"),
                };
                assert_eq!(done, before.is_some() && self.options.reopen_logs, "{outcome:?}");
            }
            (Action::Rotate | Action::Freeze { .. } | Action::Limit, _) => assert_eq!(before, after),
            (Action::Look, Outcome::Seen(seen)) => {
                assert!(seen.iter().all(Result::is_ok), "{seen:?}");
                assert_eq!(before, after);
            }
            (Action::Kill { .. }, _) => {}
            (action, outcome) => unreachable!("{action:?} {outcome:?}"),
        }
    }

    fn check_stop(&self, stop: Stop, outcome: &Outcome, before: Option<Held>, after: Option<Held>) {
        assert_eq!(after, None);
        if before.is_none() {
            match outcome {
                Outcome::Stopped(stopped) => assert_eq!(stopped.as_ref(), Ok(&Stopped::NotRunning)),
                Outcome::Said(_, launch) => assert_eq!(launch.stdout, "probe was not running\n"),
                _ => {}
            }
            return;
        }
        let may_be_killed = matches!(stop, Stop::Frozen | Stop::WithRequest);
        match outcome {
            Outcome::Stopped(Ok(Stopped::Killed)) => assert!(may_be_killed),
            Outcome::Stopped(stopped) => assert_eq!(stopped.as_ref(), Ok(&Stopped::Terminated)),
            Outcome::Said(_, launch) => {
                assert_eq!((launch.status, launch.stdout.as_str()), (0, "probe has ended\n"));
            }
            _ => {}
        }
        let by_signal = matches!(outcome, Outcome::Done);
        let may_stay = by_signal && !self.options.respawn && (self.options.user || self.options.chroot);
        assert!(may_stay || !self.stage.path("pid").exists(), "its pidfile is there: {}", self.stage.read("pid"));
    }

    fn check_upgrade(&self, version: Version, by: By, outcome: &Outcome, before: Option<Held>, after: Option<Held>) {
        let is_done = version == Version::Good && before.is_some() && self.options.can_be_upgraded();
        let why = match outcome {
            Outcome::Upgraded(done) => done.as_ref().err(),
            Outcome::Said(_, launch) => (launch.status != 0).then_some(&launch.stderr),
            _ => None,
        };
        assert!(by == By::Signal || why.is_none() == is_done, "{outcome:?}");
        if !is_done {
            assert_eq!(before, after);
            let reason = match version {
                Version::Good => "",
                Version::Bad | Version::BadSetup => "no luck",
                Version::BadMain => "exit status: 3",
                Version::NotExecutable => "cannot execute",
            };
            let may_say = before.is_some() && self.options.can_be_upgraded();
            assert!(!may_say || why.is_none_or(|why| why.contains(reason)), "{why:?}");
            let is_told = |line: &str| line.contains(": cannot upgrade: ") && line.contains(reason);
            assert!(!may_say || self.log().lines().any(is_told), "the log does not say {reason}");
            return;
        }
        let inode = fs::metadata(&self.program).expect("the program").ino();
        let executable = |Process(id)| fs::metadata(format!("/proc/{id}/exe")).expect("its program").ino();
        let after = after.expect("the new one");
        assert_eq!([after.holder, after.daemon].map(executable), [inode; 2]);
    }

    /// Whoever fails says why in one line, behind what the daemon said.
    fn check_words(&self, outcome: &Outcome) {
        let (Outcome::Started(process, launch) | Outcome::Said(process, launch)) = outcome else { return };
        let Launch { status, stderr, .. } = launch;
        if self.victims.lock().unwrap_or_else(PoisonError::into_inner).contains(process) {
            return;
        }
        if *status == 0 {
            assert_eq!(stderr, "");
            return;
        }
        let mut said: Vec<_> = stderr.lines().collect();
        let reason = said.pop().unwrap_or_default();
        let is_reason = |line: &str| ["probe: ", "client: ", "Error: "].iter().any(|name| line.starts_with(name));
        assert!(is_reason(reason), "{launch:?}");
        assert!(said.iter().all(|line| lines::is_whole(line)), "{launch:?}");
    }
}
