//! What is made to go wrong, one thing at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use nix::errno::Errno;

use super::errors::errors;

/// A system call of a good start.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) process: String,
    pub(crate) name: String,
    /// In its process, from 1 on.
    pub(crate) occurrence: usize,
    object: String,
}

/// Words of the program `inject`.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    process: String,
    pub(crate) call: String,
    occurrence: String,
    object: String,
    pub(crate) fault: Fault,
    /// Whether somebody is killed before word can be there that the daemon is ready.
    pub(crate) is_untold: bool,
    /// Whether the leader is there already.
    pub(crate) has_leader: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Error(Errno),
    /// One that comes although the call was done.
    LateError(Errno),
    Short,
    Delay,
    Kill(&'static str),
}

/// From what `inject --list` writes. What a thread of the daemon calls, the start does not wait for.
pub(crate) fn calls(processes: &[&str], list: &[String]) -> Vec<Call> {
    let mut counts = BTreeMap::new();
    let words = list.iter().map(|line| line.splitn(3, ' ').map(str::to_owned).collect::<Vec<_>>());
    words
        .filter_map(|words| {
            let [process, name, object] = words.try_into().ok()?;
            if !processes.contains(&process.as_str()) {
                return None;
            }
            let occurrence = counts.entry((process.clone(), name.clone())).or_insert(0);
            *occurrence += 1;
            Some(Call { process, name, occurrence: *occurrence, object })
        })
        .collect()
}

/// Everything that can go wrong with these calls: each by itself, and each kind of them all the time.
pub(crate) fn cases(processes: &'static [&'static str], calls: &[Call]) -> Vec<Case> {
    let names: BTreeSet<_> = calls.iter().map(|call| call.name.as_str()).collect();
    let unknown: Vec<_> = names.iter().filter(|name| errors(name).is_none()).collect();
    assert!(unknown.is_empty(), "the start calls {unknown:?}: add their errors to tests/faults/errors.rs");
    let mut cases: Vec<_> = (0..calls.len()).flat_map(|index| once(processes, calls, index)).collect();
    cases.extend(names.into_iter().flat_map(always));
    cases
}

fn once(processes: &'static [&'static str], calls: &[Call], index: usize) -> Vec<Case> {
    let (before, call) = (&calls[..index], &calls[index]);
    let Call { process, name, .. } = call;
    let has_called = |process: &str, name: &str| before.iter().any(|call| call.process == process && call.name == name);
    let reports = |call: &Call| &call.process == process && call.name == "sendto";
    let reports_later = calls.iter().any(reports) && !before.iter().any(reports);
    // A directory of /proc has nothing to write, and closes without an error.
    let last = before.iter().rfind(|other| &other.process == process);
    let closes_directory = name == "close" && last.is_some_and(|last| last.name == "getdents64");
    // In the daemon a standard stream is replaced, whose number was good before.
    let replaces_stream = process == "daemon" && name == "dup2";
    let errors = errors(name).into_iter().flatten().filter_map(|errno| match name.as_str() {
        _ if closes_directory && errno != Errno::EINTR => None,
        _ if replaces_stream && [Errno::EBADF, Errno::EMFILE].contains(&errno) => None,
        "close" => Some(Fault::LateError(errno)), // the descriptor is closed whatever it says, close(2)
        _ => Some(Fault::Error(errno)),
    });
    // Datagrams, which are what it writes by write(2), come whole.
    let is_transfer = ["read", "pread64", "pwrite64", "sendto", "recvfrom"].contains(&name.as_str());
    // What the last of them clones is a thread.
    let forks = processes[1..].len().min(processes.iter().take_while(|process| has_called(process, "clone")).count());
    let kills = processes[..=forks].iter().map(|victim| Fault::Kill(victim));
    let faults = errors.chain(is_transfer.then_some(Fault::Short)).chain([Fault::Delay]).chain(kills);
    let case = |fault| Case {
        process: process.clone(),
        call: name.clone(),
        occurrence: call.occurrence.to_string(),
        object: call.object.clone(),
        fault,
        has_leader: processes[..=forks].contains(&"leader"),
        is_untold: match fault {
            Fault::Kill(victim) if victim == processes[0] => process != victim && reports_later,
            Fault::Kill("daemon") => process == "daemon" && reports_later,
            _ => false,
        },
    };
    faults.map(case).collect()
}

/// A full disk stays full; and a filter of system calls, seccomp(2), says EPERM or ENOSYS time and again. What cannot
/// fail, no program could do without.
fn always(name: &str) -> impl Iterator<Item = Case> {
    let mut errors = errors(name).unwrap_or_default();
    if !errors.is_empty() {
        errors.retain(|errno| ![Errno::EPERM, Errno::ENOSYS].contains(errno));
        errors.extend([Errno::EPERM, Errno::ENOSYS]);
    }
    errors.into_iter().filter(|errno| lasts(name, *errno)).map(|errno| Case {
        process: "every".into(),
        call: name.to_owned(),
        occurrence: "every".into(),
        object: String::new(),
        fault: Fault::Error(errno),
        is_untold: false,
        has_leader: false,
    })
}

/// What passes, or is about one call alone, would be tried again for ever.
fn lasts(name: &str, errno: Errno) -> bool {
    !matches!(
        (name, errno),
        (_, Errno::EINTR)
            | ("getcwd", Errno::ERANGE)
            | ("dup2", Errno::EBUSY)
            | ("flock", Errno::EAGAIN)
            | ("openat", Errno::EEXIST)
            | ("close", _)
    )
}

impl Case {
    /// Whether it happens in a program that goes on, or to it, or to the one between it and the others.
    pub(crate) fn concerns_client(&self) -> bool {
        self.process == "client" || matches!(self.fault, Fault::Kill("client" | "launcher"))
    }

    /// In that call, once, where nobody asks whether the start has told of the daemon.
    pub(crate) fn at(call: &Call, fault: Fault) -> Self {
        let Call { process, name, occurrence, object } = call.clone();
        let occurrence = occurrence.to_string();
        Self { process, call: name, occurrence, object, fault, is_untold: false, has_leader: true }
    }

    /// Whether it goes wrong in that call, this once.
    pub(crate) fn is_at(&self, call: &Call) -> bool {
        (&self.process, &self.call, &self.occurrence) == (&call.process, &call.name, &call.occurrence.to_string())
    }

    /// What happens to calls that do well, signal(7), read(2).
    pub(crate) fn is_no_failure(&self) -> bool {
        matches!(self.fault, Fault::Short | Fault::Delay | Fault::Error(Errno::EINTR) | Fault::LateError(Errno::EINTR))
    }

    /// Whether the line that says why fails to be written as well.
    pub(crate) fn keeps_it_silent(&self) -> bool {
        self.occurrence == "every" && self.call == "write"
    }

    pub(crate) fn arguments(&self) -> [String; 5] {
        ["--at".into(), self.process.clone(), self.call.clone(), self.occurrence.clone(), self.fault.word()]
    }
}

impl Fault {
    fn word(self) -> String {
        match self {
            Self::Error(errno) => format!("error={}", errno as i32),
            Self::LateError(errno) => format!("late-error={}", errno as i32),
            Self::Short => "short".into(),
            Self::Delay => "delay=10".into(),
            Self::Kill(process) => format!("kill={process}"),
        }
    }
}

impl fmt::Display for Case {
    /// A row of the table, but for the outcome.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process, call, occurrence, object, fault, .. } = self;
        let fault = match fault {
            Fault::Error(errno) => format!("{errno:?}"),
            Fault::LateError(errno) => format!("{errno:?}, done"),
            Fault::Short => "short".into(),
            Fault::Delay => "delay".into(),
            Fault::Kill(victim) => format!("kill {victim}"),
        };
        write!(formatter, "{process:8} {call:23} {occurrence:>5}  {object:32} {fault:14}")
    }
}
