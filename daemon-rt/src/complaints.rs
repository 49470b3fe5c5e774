//! Why a start failed, for whoever reads standard error.

use std::{
    env,
    io::{self, Write},
    path::Path,
};

use crate::{Daemon, syslog, terminal::escape_controls};

/// The name that each line begins with, and whether standard error leads to anybody who is to read it.
pub(crate) struct Complaints {
    name: String,
    has_reader: bool,
}

impl Complaints {
    pub(crate) fn of(daemon: &Daemon) -> Self {
        Self {
            name: daemon.name.clone().or_else(zeroth_argument).unwrap_or_else(|| "daemon".to_owned()),
            has_reader: !daemon.launched_by.has_peer_on_stderr(),
        }
    }

    #[cfg(unix)]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    #[cfg(unix)]
    pub(crate) fn into_name(self) -> String {
        self.name
    }

    /// Prints what the daemon said, and the line below it. Nothing can be done about a stderr that takes no more; where
    /// it is the peer of a connection, the line goes to the system's log.
    pub(crate) fn say(&self, said: &str, text: &str) {
        if !self.has_reader {
            return syslog::say(&self.name, text);
        }
        let line = escape_controls(format!("{}: {text}", self.name).as_bytes());
        let _ = io::stderr().write_all(format!("{said}{line}").as_bytes());
    }
}

fn zeroth_argument() -> Option<String> {
    let argument = env::args_os().next()?;
    Some(Path::new(&argument).file_name()?.to_string_lossy().into_owned())
}
