//! The messages of a start on standard error. They begin with the program's name, as those of err(3).

use std::{
    env,
    io::{self, Write},
    path::Path,
    process,
};

use crate::{
    Daemon, Error, syslog,
    terminal::{escape_controls, shown},
};

/// Who writes the messages, and who reads them.
pub(crate) struct Messages {
    /// Each line begins with it.
    name: String,
    /// False if standard error is the peer of a connection.
    has_reader: bool,
    /// Whether the reader may see less of the file system than this process, so that a cause would reveal something.
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

    /// Before any start.
    pub(crate) fn of_program() -> Self {
        Self { name: zeroth_argument(), has_reader: true, withholds_causes: false }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn into_name(self) -> String {
        self.name
    }

    /// The text for a place that more people can read than the one who started the program.
    pub(crate) fn for_everybody(&self, error: &Error) -> String {
        self.text_without_cause(error).map_or_else(|| format!("{error:#}"), str::to_owned)
    }

    /// For a program that shows the error to its caller itself.
    pub(crate) fn withhold(&self, mut error: Error) -> Error {
        if self.text_without_cause(&error).is_some() {
            let text = self.for_reader(&error);
            error = Error::new(text).and_exit_status(error.exit_status()).and_stderr(error.stderr().to_owned());
        }
        error.of_program(&self.name)
    }

    /// The text for whoever started the program. If the cause is not for them, it goes to the system's log.
    pub(crate) fn for_reader(&self, error: &Error) -> String {
        let Some(without_cause) = self.text_without_cause(error) else { return format!("{error:#}") };
        syslog::say(&self.name, &format!("{error:#}"));
        format!("{without_cause}: the cause is in the system's log")
    }

    /// Step and object, if the reader may not know the cause.
    fn text_without_cause<'error>(&self, error: &'error Error) -> Option<&'error str> {
        error.without_cause().filter(|_| self.withholds_causes)
    }

    /// Prints what the daemon wrote to standard error, and the message below it. An error of the write is ignored:
    /// nothing can be done about it. The message goes to the system's log if standard error is the peer of a
    /// connection, or if its reader may not know the cause.
    pub(crate) fn say(&self, error: &Error) {
        if !self.has_reader {
            return syslog::say(&self.name, &format!("{error:#}"));
        }
        write(&self.name, &self.for_reader(error), error.stderr());
    }

    /// What [`say`](Self::say) prints for a text without a cause. None if nobody would read it.
    pub(crate) fn line(&self, text: &str) -> Option<Vec<u8>> {
        self.has_reader.then(|| line(&self.name, text).into_bytes())
    }
}

impl Error {
    /// Prints the error of [`start`](Daemon::start) or [`spawn`](Daemon::spawn) as [`run`](Daemon::run) does: to
    /// standard error, first what the daemon wrote, and then the program's name and the message. It then exits with
    /// [`exit_status`](Self::exit_status).
    ///
    /// ```no_run
    /// use daemon_rt::Daemon;
    ///
    /// Daemon::new().stdout("/var/log/clockd.log").start().unwrap_or_else(|error| error.exit());
    /// println!("this line is in the log");
    /// ```
    pub fn exit(&self) -> ! {
        let name = self.program().map_or_else(zeroth_argument, str::to_owned);
        write(&name, &format!("{self:#}"), self.stderr());
        process::exit(self.exit_status().into())
    }
}

fn write(name: &str, text: &str, stderr: &str) {
    let line = line(name, text);
    let _ = ignore_signals_of_writes(); // for good: when the program exits, it writes what is buffered
    let _ = io::stderr().write_all(format!("{stderr}{line}").as_bytes());
}

fn line(name: &str, text: &str) -> String {
    escape_controls(format!("{name}: {text}").as_bytes())
}

/// Prints a line on standard output. If the write fails, nothing is lost: the exit status says the same.
pub(crate) fn print(message: &str) {
    if message.is_empty() {
        return;
    }
    let restore = ignore_signals_of_writes();
    let mut stdout = io::stdout().lock();
    let line = format!("{}\n", shown(message));
    // Written directly, so that no rest stays in the buffer until the program exits.
    let _ = stdout.flush().and_then(|()| write_unbuffered(&mut stdout, line.as_bytes()));
    restore();
}

#[cfg(unix)]
fn write_unbuffered(stdout: &mut io::StdoutLock<'_>, line: &[u8]) -> io::Result<()> {
    let mut rest = line;
    while !rest.is_empty() {
        let written = crate::sys::uninterrupted(|| Ok(nix::unistd::write(&*stdout, rest)?))?;
        rest = &rest[written..];
    }
    Ok(())
}

#[cfg(not(unix))]
fn write_unbuffered(stdout: &mut io::StdoutLock<'_>, line: &[u8]) -> io::Result<()> {
    stdout.write_all(line)
}

/// A write can end the program in the middle of the line, with the wrong exit status: by SIGXFSZ if the size of files
/// is limited, setrlimit(2), or by SIGPIPE if nobody reads the pipe and the program does not ignore that signal.
#[cfg(unix)]
pub(crate) fn ignore_signals_of_writes() -> impl FnOnce() {
    use nix::libc::{SIGPIPE, SIGXFSZ};

    use crate::sys::{self, Action};
    let actions = [SIGPIPE, SIGXFSZ].map(sys::ignore);
    || actions.into_iter().for_each(Action::restore)
}

#[cfg(not(unix))]
pub(crate) fn ignore_signals_of_writes() -> impl FnOnce() {
    || ()
}

fn zeroth_argument() -> String {
    let argument = env::args_os().next().unwrap_or_default();
    Path::new(&argument).file_name().map_or_else(|| "daemon".to_owned(), |name| shown(name).to_string())
}
