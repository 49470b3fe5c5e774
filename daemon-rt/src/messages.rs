//! The messages of a start on standard error, behind the name of the program as those of err(3).

use std::{
    env,
    io::{self, Write},
    path::Path,
};

use crate::{
    Daemon, Error, syslog,
    terminal::{escape_controls, shown},
};

/// Who says them, and who reads them.
pub(crate) struct Messages {
    /// Each line begins with it.
    name: String,
    /// False where standard error is the peer of a connection.
    has_reader: bool,
    /// Whether the reader may see less of the file system than this process does, and a cause would tell of it.
    withholds_causes: bool,
}

impl Messages {
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

    /// The text for a place where more people read than the one who started the program.
    pub(crate) fn for_everybody(&self, error: &Error) -> String {
        error.without_cause().filter(|_| self.withholds_causes).map_or_else(|| format!("{error:#}"), str::to_owned)
    }

    /// Prints what the daemon wrote to standard error, and the message below it. An error of the write is ignored:
    /// nothing can be done about it. The message goes to the system's log where standard error is the peer of a
    /// connection, and where its reader may not know the cause.
    pub(crate) fn say(&self, error: &Error) {
        let mut text = format!("{error:#}");
        let without_cause = error.without_cause().filter(|_| self.withholds_causes);
        if !self.has_reader || without_cause.is_some() {
            syslog::say(&self.name, &text);
        }
        if !self.has_reader {
            return;
        }
        if let Some(without_cause) = without_cause {
            text = format!("{without_cause}: the cause is in the system's log");
        }
        let line = escape_controls(format!("{}: {text}", self.name).as_bytes());
        ignore_limit();
        let _ = io::stderr().write_all(format!("{}{line}", error.stderr()).as_bytes());
    }
}

/// Prints what a daemon gave to `ready_with`, on standard output. Where that takes no more, the daemon is ready all the
/// same.
pub(crate) fn print(message: &str) {
    if message.is_empty() {
        return;
    }
    ignore_limit();
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{}", shown(message)).and_then(|()| stdout.flush());
}

/// With a limit on the size of files, a write to a file can end the program by SIGXFSZ, setrlimit(2): in the middle of the
/// line, and with the wrong exit status. The signal stays ignored, since the exit of the program writes what is buffered.
fn ignore_limit() {
    #[cfg(unix)]
    let _ = crate::sys::ignore(nix::libc::SIGXFSZ);
}

fn zeroth_argument() -> String {
    let argument = env::args_os().next().unwrap_or_default();
    Path::new(&argument).file_name().map_or_else(|| "daemon".to_owned(), |name| shown(name).to_string())
}
