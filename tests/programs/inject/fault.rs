//! What is to go wrong, and where.

use std::time::Duration;

use crate::tracer::Failure;

/// `every` is none of these.
#[derive(Debug)]
pub(crate) struct Place {
    process: Option<Role>,
    call: Option<String>,
    occurrence: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    Error(i32),
    LateError(i32),
    Short,
    Delay(Duration),
    Kill(Role),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// A program that goes on.
    Client,
    Launcher,
    Leader,
    Daemon,
    /// What the leader forks next, for an upgrade, and executes the program again.
    NewLauncher,
    NewLeader,
    NewDaemon,
    Other,
}

impl Place {
    pub(crate) fn parse(process: &str, call: &str, occurrence: &str) -> Result<Self, Failure> {
        let given = |word: &str| Some(word.to_owned()).filter(|word| word != "every");
        Ok(Self {
            process: given(process).map(|word| Role::parse(&word)).transpose()?,
            call: given(call),
            occurrence: given(occurrence).map(|word| word.parse()).transpose()?,
        })
    }

    pub(crate) fn is_in(&self, process: Role) -> bool {
        self.process.is_none_or(|wanted| wanted == process)
    }

    pub(crate) fn is(&self, process: Role, call: &str, occurrence: usize) -> bool {
        self.is_in(process)
            && self.call.as_ref().is_none_or(|wanted| wanted == call)
            && self.occurrence.is_none_or(|wanted| wanted == occurrence)
    }
}

impl Fault {
    pub(crate) fn parse(word: &str) -> Result<Self, Failure> {
        Ok(match word.split_once('=').unwrap_or((word, "")) {
            ("error", number) => Self::Error(number.parse()?),
            ("late-error", number) => Self::LateError(number.parse()?),
            ("short", _) => Self::Short,
            ("delay", time) => Self::Delay(Duration::from_millis(time.parse()?)),
            ("kill", process) => Self::Kill(Role::parse(process)?),
            _ => return Err(format!("unknown fault {word}").into()),
        })
    }
}

impl Role {
    fn parse(word: &str) -> Result<Self, Failure> {
        let old = [Self::Client, Self::Launcher, Self::Leader, Self::Daemon];
        let new = [Self::NewLauncher, Self::NewLeader, Self::NewDaemon];
        let found = old.into_iter().chain(new).find(|role| role.name() == word);
        found.ok_or_else(|| format!("unknown process {word}").into())
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Launcher => "launcher",
            Self::Leader => "leader",
            Self::Daemon => "daemon",
            Self::NewLauncher => "new-launcher",
            Self::NewLeader => "new-leader",
            Self::NewDaemon => "new-daemon",
            Self::Other => "other",
        }
    }

    pub(crate) fn of_child(self) -> Self {
        match self {
            Self::Client => Self::Launcher,
            Self::Launcher => Self::Leader,
            Self::Leader => Self::Daemon,
            Self::NewLauncher => Self::NewLeader,
            Self::NewLeader => Self::NewDaemon,
            Self::Daemon | Self::NewDaemon | Self::Other => Self::Other,
        }
    }
}
