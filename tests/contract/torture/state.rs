//! What is seen from outside when nothing changes any more.

use std::{thread, time::Duration};

use daemon_rt::Status;
use support::{DEADLINE, Process, within};

use super::Round;

/// What the pidfile names, and the daemon: two processes if there is a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) holder: Process,
    pub(super) daemon: Process,
}

impl Round<'_> {
    /// A daemon that is what everybody says it is, or none.
    pub(super) fn settled(&self) -> Option<Held> {
        let mut why = String::new();
        let settled = within(DEADLINE, || match self.look() {
            Ok(seen) => {
                thread::sleep(Duration::from_millis(30)); // nothing changes any more
                (self.look().as_ref() == Ok(&seen)).then_some(seen)
            }
            Err(what) => {
                why = what;
                None
            }
        });
        settled.unwrap_or_else(|| panic!("it does not settle: {why}"))
    }

    fn look(&self) -> Result<Option<Held>, String> {
        let processes = self.processes();
        let parent = |process: Process| process.stat(4).and_then(|parent| parent.parse().ok()).map(Process);
        let held = match processes[..] {
            [] => None,
            [one] if !self.options.respawn => Some(Held { holder: one, daemon: one }),
            [one, other] if self.options.respawn && parent(other) == Some(one) => {
                Some(Held { holder: one, daemon: other })
            }
            [one, other] if self.options.respawn && parent(one) == Some(other) => {
                Some(Held { holder: other, daemon: one })
            }
            _ => return Err(format!("there are {}", shown(&processes))),
        };
        let status = self.pidfile.status().map_err(|error| format!("{error:#}"))?;
        let content = self.stage.read("pid");
        let Some(Held { holder, daemon }) = held else {
            let is_nobody = matches!(status, Status::Stopped | Status::Stale);
            return is_nobody.then_some(None).ok_or_else(|| format!("nobody runs, and the pidfile says {status:?}"));
        };
        let told = self.options.respawn.then(|| daemon.0.cast_unsigned());
        if !matches!(status, Status::Running { pid, daemon, .. } if pid == holder.0.cast_unsigned() && daemon == told) {
            return Err(format!("{held:?}, and {status:?}"));
        }
        let width = if self.options.respawn { 8 } else { 0 }; // a supervisor's number is padded
        if content != format!("{:\n<width$}\n", holder.0) {
            return Err(format!("{held:?}, and the pidfile has {content:?}"));
        }
        match self.ask("/") {
            Ok(answer) if answer == daemon.0.to_string() => Ok(held),
            answer => Err(format!("{held:?}, and the answer is {answer:?}")),
        }
    }
}

fn shown(processes: &[Process]) -> String {
    let show = |process: &Process| {
        let command = std::fs::read_to_string(format!("/proc/{}/cmdline", process.0)).unwrap_or_default();
        let wchan = std::fs::read_to_string(format!("/proc/{}/wchan", process.0)).unwrap_or_default();
        let words: Vec<_> = command.split('\0').take(3).collect();
        format!("{} {:?} {:?} {wchan} {words:?}", process.0, process.stat(3), process.stat(4))
    };
    processes.iter().map(show).collect::<Vec<_>>().join("; ")
}
