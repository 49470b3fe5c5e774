//! Why a start failed, for whoever reads standard error.

#[cfg(all(test, unix))]
mod tests;

use std::{
    env,
    io::{self, Write},
    path::Path,
};

use crate::{
    Daemon, Error, syslog,
    terminal::{escape_controls, shown},
};

/// The name that each line begins with, whether standard error leads to anybody who is to read it, and whether that is
/// somebody who may read everything.
pub(crate) struct Complaints {
    name: String,
    has_reader: bool,
    /// Causes would tell the reader of files that only this process can see.
    withholds_causes: bool,
}

/// A line, and what is left of it for a reader who may not know the cause; none where that is all of it.
pub(crate) struct Complaint {
    text: String,
    without_cause: Option<String>,
}

impl Complaints {
    pub(crate) fn of(daemon: &Daemon) -> Self {
        Self {
            name: daemon.name.as_ref().map_or_else(zeroth_argument, |name| shown(name).to_string()),
            has_reader: !daemon.launched_by.has_peer_on_stderr(),
            withholds_causes: daemon.launched_by.caller_sees_less(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn into_name(self) -> String {
        self.name
    }

    /// What may be told where more people read than the one who started the program.
    pub(crate) fn for_everybody<'all>(&self, complaint: &'all Complaint) -> &'all str {
        complaint.without_cause.as_deref().filter(|_| self.withholds_causes).unwrap_or(&complaint.text)
    }

    /// Prints what the daemon said, and the line below it, as the last act of this process. Nothing can be done about a
    /// stderr that takes no more. Where it is the peer of a connection, and where the reader may not know the cause, the
    /// line goes to the system's log.
    pub(crate) fn say(&self, said: &str, complaint: impl Into<Complaint>) {
        let Complaint { mut text, without_cause } = complaint.into();
        let without_cause = without_cause.filter(|_| self.withholds_causes);
        if !self.has_reader || without_cause.is_some() {
            syslog::say(&self.name, &text);
        }
        if !self.has_reader {
            return;
        }
        if let Some(without_cause) = without_cause {
            text = without_cause + ": the cause is in the system's log";
        }
        let line = escape_controls(format!("{}: {text}", self.name).as_bytes());
        ignore_limit();
        let _ = io::stderr().write_all(format!("{said}{line}").as_bytes());
    }
}

/// With a limit on the size of files, a write to one ends the program, setrlimit(2): before the rest of the line is out,
/// and with another status than the right one. It stays ignored, since what the program printed is written when it exits.
fn ignore_limit() {
    #[cfg(unix)]
    let _ = crate::sys::ignore(nix::libc::SIGXFSZ);
}

impl Complaint {
    /// From another process: see [`into_message`](Self::into_message).
    pub(crate) fn from_message(message: &str) -> Self {
        match message.split_once('\0') {
            Some((without_cause, text)) => Self { text: text.into(), without_cause: Some(without_cause.into()) },
            None => message.to_owned().into(),
        }
    }

    /// To another process, which knows the reader. What everybody may read stands first: however much of a message gets
    /// lost, it is not that. No message has a NUL byte in it: names and paths are escaped.
    pub(crate) fn into_message(self) -> String {
        match self.without_cause {
            Some(without_cause) => format!("{without_cause}\0{}", self.text),
            None => self.text,
        }
    }
}

impl From<&Error> for Complaint {
    fn from(error: &Error) -> Self {
        Self { text: format!("{error:#}"), without_cause: error.without_cause().map(str::to_owned) }
    }
}

impl From<String> for Complaint {
    fn from(text: String) -> Self {
        Self { text, without_cause: None }
    }
}

fn zeroth_argument() -> String {
    let argument = env::args_os().next().unwrap_or_default();
    Path::new(&argument).file_name().map_or_else(|| "daemon".to_owned(), |name| shown(name).to_string())
}
