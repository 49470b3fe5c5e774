//! The words of a daemon's command line.

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use crate::{Error, terminal::shown};

/// What a person or a script asks of a daemon on its command line, as with an init script. It is the argument of
/// [`Daemon::obey`](crate::Daemon::obey).
///
/// It is parsed from the word in lower case. Any other word is an error that names all seven. With clap, write
/// `control: Control` as the type of an argument; nothing else is needed. The error goes into clap's message, and clap
/// ends the program with 2.
///
/// ```
/// use daemon_rt::Control;
///
/// assert_eq!("reload".parse::<Control>()?, Control::Reload);
/// assert!("strat".parse::<Control>().is_err());
/// # Ok::<(), daemon_rt::Error>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Control {
    /// `start`: start the daemon.
    Start,
    /// `run`: start it in the foreground, [`Detach::Never`](crate::Detach::Never).
    Run,
    /// `stop`: end it, and wait until it has ended.
    Stop,
    /// `restart`: stop it if it runs, and start it.
    Restart,
    /// `reload`: make it read its configuration again.
    Reload,
    /// `upgrade`: let a daemon from the program file as it is now take over from the running one,
    /// [`PidFile::upgrade`](crate::PidFile::upgrade).
    Upgrade,
    /// `status`: tell whether it runs.
    Status,
}

impl Control {
    const ALL: [Self; 7] =
        [Self::Start, Self::Run, Self::Stop, Self::Restart, Self::Reload, Self::Upgrade, Self::Status];

    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Run => "run",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Upgrade => "upgrade",
            Self::Status => "status",
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

impl FromStr for Control {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|control| control.word() == word).ok_or_else(|| {
            let expected = Self::ALL.map(Self::word).join(", ");
            Error::new(format!("unknown command `{}`; expected one of {expected}", shown(word)))
        })
    }
}
