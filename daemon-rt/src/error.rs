//! The one error type: what could not be done, and why. Also causes that say more than the system's description.

#[cfg(test)]
mod tests;

use std::{borrow::Cow, error, fmt, fs, io, path::Path};

#[cfg(unix)]
use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

use crate::terminal::shown;

/// Why a start, or a call that belongs to one, failed.
///
/// With `{}`, it shows the step and its object: `cannot open stdout /var/log/clockd.log`. With `{:#}`, it adds the
/// cause, which is also its [`source`](error::Error::source): `… : Permission denied (os error 13)`. Messages
/// start in lower case and end without a period, so that they can follow a program's name.
///
/// Often the daemon itself wrote the reason before it failed. [`exit`](Self::exit) prints that above the message, and
/// exits with [`exit_status`](Self::exit_status). `{:?}` shows the same as `{:#}`, and below it what the daemon wrote.
/// Rust uses `{:?}` to print an error that `main` returns, but then the program exits with 1.
pub struct Error(Box<Details>);

/// Boxed, so that the result of a step is one word instead of twelve. Errors are rare.
struct Details {
    what: Cow<'static, str>,
    why: Option<io::Error>,
    /// Step and object alone, if `what` says more.
    step: Option<Cow<'static, str>>,
    /// Not 0.
    exit_status: u8,
    already_running: Option<u32>,
    stderr: String,
    /// The program's name for the message, if the error came from a start.
    program: Option<String>,
}

impl Error {
    /// The status with which [`run`](crate::Daemon::run) would make the launcher exit. If the daemon exited before it
    /// was ready, this is the daemon's own status. If a signal ended it, this is 128 plus the number of the signal, as
    /// in a shell (POSIX, sh, 2.8.2). In all other cases it is 1. It is never 0.
    ///
    /// For an error from [`PidFile`](crate::PidFile), it is the status that the Linux Standard Base gives to an init
    /// script: 7 if no daemon runs, 4 if permission is missing, 3 if a reload would end the daemon, and otherwise 1.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        self.0.exit_status
    }

    /// The process id of the other instance, if the start failed because that instance holds the
    /// [`pidfile`](crate::Daemon::pidfile). After [`spawn`](crate::Daemon::spawn), the other instance is ready, unless
    /// it took longer than `start_timeout`. After [`run`](crate::Daemon::run) and [`start`](crate::Daemon::start), it
    /// may still be starting.
    #[must_use]
    pub fn already_running(&self) -> Option<u32> {
        self.0.already_running
    }

    /// What the daemon wrote to standard error before it failed: at most the last 64 KiB, with control characters
    /// escaped. [`run`](crate::Daemon::run) prints it above the message.
    ///
    /// It is empty if the daemon wrote nothing, if there was no daemon yet, or if its standard error cannot be read
    /// back, as with a terminal.
    #[must_use]
    pub fn stderr(&self) -> &str {
        &self.0.stderr
    }

    /// A mistake without an external cause, such as an option out of range. It is cold, so that nothing is optimized
    /// for it.
    #[cold]
    pub(crate) fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self::of(what.into(), None)
    }

    /// A step that the system refused.
    #[cold]
    pub(crate) fn because(what: impl Into<Cow<'static, str>>, why: impl Into<io::Error>) -> Self {
        Self::of(what.into(), Some(why.into()))
    }

    fn of(what: Cow<'static, str>, why: Option<io::Error>) -> Self {
        let stderr = String::new();
        Self(Box::new(Details { what, why, step: None, exit_status: 1, already_running: None, stderr, program: None }))
    }

    pub(crate) fn and_exit_status(mut self, status: u8) -> Self {
        self.0.exit_status = status.max(1);
        self
    }

    /// Marks everything except step and object as something that was found in the file system.
    pub(crate) fn withhold_all_but(mut self, step: impl Into<Cow<'static, str>>) -> Self {
        self.0.step = Some(step.into());
        self
    }

    /// The step and its object, without anything that was found in the file system: for a reader who may not look
    /// there. None if the error has no such part.
    pub(crate) fn without_cause(&self) -> Option<&str> {
        match (&self.0.step, &self.0.why) {
            (Some(step), _) => Some(step),
            (None, Some(_)) => Some(&self.0.what),
            (None, None) => None,
        }
    }

    /// The start failed because this process is another instance.
    pub(crate) fn and_already_running(mut self, pid: u32) -> Self {
        self.0.already_running = Some(pid);
        self
    }

    pub(crate) fn and_stderr(mut self, stderr: String) -> Self {
        self.0.stderr = stderr;
        self
    }

    pub(crate) fn of_program(mut self, name: &str) -> Self {
        self.0.program = Some(name.to_owned());
        self
    }

    pub(crate) fn program(&self) -> Option<&str> {
        self.0.program.as_deref()
    }

    /// The error number of the cause, errno(3).
    pub(crate) fn errno(&self) -> Option<i32> {
        self.0.why.as_ref()?.raw_os_error()
    }
}

#[cfg(unix)]
impl Error {
    /// For an error that the daemon itself reports: it does not look for another instance, and the launcher reads what
    /// it printed.
    pub(crate) fn of_daemon(mut self) -> Self {
        self.0.already_running = None;
        self.0.stderr = String::new();
        self
    }

    /// A process of the start ended too early. The exit status is that of the process, or 128 plus the signal, as in a
    /// shell (POSIX, sh, 2.8.2). An exit with 0 before it was ready is a failure.
    pub(crate) fn ended(who: &str, status: ExitStatus) -> Self {
        let code = match (status.code(), status.signal()) {
            (Some(0), _) | (None, None) => 1,
            (Some(code), _) => code,
            (None, Some(signal)) => 128 + signal,
        };
        Self::new(format!("{who} ended before it was ready: {status}")).and_exit_status(u8::try_from(code).unwrap_or(1))
    }
}

/// How an error goes from one process to another, except for its exit status.
///
/// NUL bytes separate the fields: no text contains one, because names and paths are escaped. What everybody may read
/// comes first, so that it is not cut off.
#[cfg(unix)]
impl Error {
    pub(crate) fn encode(&self) -> String {
        let Details { what, why, step, already_running, stderr, .. } = &*self.0;
        let (public, what) = step.as_ref().map_or((what, ""), |step| (step, what));
        let errno = self.errno().unwrap_or_default();
        let why = why.as_ref().filter(|_| errno == 0).map(io::Error::to_string).unwrap_or_default();
        let pid = already_running.unwrap_or_default();
        format!("{public}\0{what}\0{errno}\0{why}\0{pid}\0{stderr}")
    }

    /// Decodes whatever a hostile daemon may send. Control characters are escaped again here, because the daemon's own
    /// text may contain them.
    pub(crate) fn decode(status: u8, text: &str) -> Self {
        let mut fields = text.splitn(6, '\0');
        let mut next = || fields.next().unwrap_or_default();
        let [public, what] = [next(), next()].map(|text| shown(text).to_string());
        let (errno, why, pid, stderr) = (next(), shown(next()).to_string(), next(), next());
        let (step, what) = if what.is_empty() { (None, public) } else { (Some(public.into()), what) };
        let why = match errno.parse() {
            Ok(0) | Err(_) if why.is_empty() => None,
            Ok(0) | Err(_) => Some(refused(why)),
            Ok(errno) => Some(io::Error::from_raw_os_error(errno)),
        };
        Self(Box::new(Details {
            what: what.into(),
            why,
            step,
            exit_status: status.max(1),
            already_running: pid.parse().ok().filter(|&pid| pid != 0),
            stderr: stderr.to_owned(),
            program: None,
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.what)?;
        match &self.0.why {
            Some(why) if formatter.alternate() => write!(formatter, ": {why}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:#}")?;
        if self.stderr().is_empty() { Ok(()) } else { write!(formatter, "\n{}", self.stderr().trim_end()) }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.why.as_ref().map(|why| why as _)
    }
}

impl From<Error> for io::Error {
    /// Keeps the kind of the cause, and carries the error itself as payload.
    fn from(error: Error) -> Self {
        let kind = error.0.why.as_ref().map_or(io::ErrorKind::Other, io::Error::kind);
        Self::new(kind, error)
    }
}

/// A reason to refuse a file that does not come from a system call.
#[cold]
pub(crate) fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why.into())
}

/// With `O_NOFOLLOW`, open(2) fails with ELOOP, EMLINK or EFTYPE for a symbolic link. This says what it is, and what to
/// name instead.
pub(crate) fn name_target_of_link(error: io::Error, path: &Path) -> io::Error {
    match fs::read_link(path) {
        Ok(target) => {
            let target = fs::canonicalize(path).unwrap_or_else(|_| path.with_file_name(target));
            refused(format!("it is a symbolic link; name its target, {}", shown(&target)))
        }
        Err(_) => error,
    }
}
