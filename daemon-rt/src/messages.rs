//! The messages of a start on standard error, behind the name of the program as those of err(3).

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

/// Who says them, and who reads them.
pub(crate) struct Messages {
    /// Each line begins with it.
    name: String,
    /// False where standard error is the peer of a connection.
    has_reader: bool,
    /// Whether the reader may see less of the file system than this process does, and a cause would tell of it.
    withholds_causes: bool,
}

/// One message, and its text for a reader who may not know the cause where that is a shorter one.
pub(crate) struct Message {
    text: String,
    without_cause: Option<String>,
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
    pub(crate) fn for_everybody<'all>(&self, message: &'all Message) -> &'all str {
        message.without_cause.as_deref().filter(|_| self.withholds_causes).unwrap_or(&message.text)
    }

    /// Prints what the daemon said, and the message below it. An error of the write is ignored: nothing can be done about
    /// it. The message goes to the system's log where standard error is the peer of a connection, and where its reader
    /// may not know the cause.
    pub(crate) fn say(&self, said: &str, message: impl Into<Message>) {
        let Message { mut text, without_cause } = message.into();
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

/// With a limit on the size of files, a write to a file can end the program by SIGXFSZ, setrlimit(2): in the middle of the
/// line, and with the wrong exit status. The signal stays ignored, since the exit of the program writes what is buffered.
fn ignore_limit() {
    #[cfg(unix)]
    let _ = crate::sys::ignore(nix::libc::SIGXFSZ);
}

impl Message {
    /// As [`encode`](Self::encode) in another process made it.
    pub(crate) fn decode(message: &str) -> Self {
        match message.split_once('\0') {
            Some((without_cause, text)) => Self { text: text.into(), without_cause: Some(without_cause.into()) },
            None => message.to_owned().into(),
        }
    }

    /// For another process, which knows the reader. The text without the cause comes first, so that it arrives even
    /// where the rest is cut off. A NUL byte separates the two: no text has one, since names and paths are escaped.
    pub(crate) fn encode(self) -> String {
        match self.without_cause {
            Some(without_cause) => format!("{without_cause}\0{}", self.text),
            None => self.text,
        }
    }
}

impl From<&Error> for Message {
    fn from(error: &Error) -> Self {
        Self { text: format!("{error:#}"), without_cause: error.without_cause().map(str::to_owned) }
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self { text, without_cause: None }
    }
}

fn zeroth_argument() -> String {
    let argument = env::args_os().next().unwrap_or_default();
    Path::new(&argument).file_name().map_or_else(|| "daemon".to_owned(), |name| shown(name).to_string())
}
