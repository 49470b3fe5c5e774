//! The daemon's standard streams. The launcher opens them, because there an error has a reader. The leader redirects
//! them.

mod by_path;
mod file;
mod redirected;
mod reopening;
mod rotating;
mod stderr_tail;
mod stream;

pub(crate) use self::{
    by_path::{OpenFiles, Opening},
    redirected::RedirectedStreams,
    reopening::{Candidate, OpenAnew, ReopenLogs, Reopener, Reopening, open_anew},
    rotating::RotateLogs,
};

use std::{io, mem, os::fd::AsRawFd};

use nix::libc;

use self::{stderr_tail::StderrTail, stream::Stream};
use crate::{
    Daemon, Error,
    logs::Log,
    null::{self, Null},
    privileges::Account,
    stderr_buffer::{self, StderrBuffer},
    stdio::Limit,
    sys::{self, StandardStream},
};

/// All descriptors in here are above the standard ones, so that a dup2(2) onto one of those closes none of these.
pub(crate) struct Streams {
    null: Null,
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
    stderr_follows: bool,
    /// Logs that an option reopens or rotates.
    logs: Vec<Log>,
    log_options: Vec<&'static dyn Reopening>,
    /// With the option `respawn`.
    open_anew: Option<OpenAnew>,
    stderr_buffer: Option<StderrBuffer>,
    stderr_tail: Option<StderrTail>,
}

impl Streams {
    /// `account` is the user whom the daemon becomes, if that is a different one. `reopener` reopens its logs.
    pub(crate) fn open(daemon: &mut Daemon, account: Option<&Account>, reopener: &Reopener<'_>) -> Result<Self, Error> {
        let log_options = daemon.log_options();
        let (stdin, stdout) = (mem::take(&mut daemon.stdin), mem::take(&mut daemon.stdout));
        let (stderr, inherited) = (daemon.stderr.take(), &daemon.inherited);
        let null = null::open().map_err(|error| Error::because("cannot open /dev/null", error))?;
        let stdin = Stream::input(stdin, inherited, account)?;
        let stdout = Stream::output("stdout", stdout, inherited, account)?;
        let stderr_follows = stderr.is_none();
        let stderr = match stderr {
            Some(stderr) => Stream::output("stderr", stderr, inherited, account)?,
            None => stdout.duplicate().map_err(|error| Error::because("cannot duplicate stdout for stderr", error))?,
        };
        let is_null = stderr.leads_to(libc::STDERR_FILENO, null.number);
        let mut streams = Self {
            stderr: if is_null { Stream::Null } else { stderr }, // however it came to be open on that
            null,
            stdin,
            stdout,
            stderr_follows,
            logs: Vec::new(),
            log_options: log_options.collect(),
            open_anew: None,
            stderr_buffer: None,
            stderr_tail: None,
        };
        streams.logs = streams.logs_to_look_after(daemon.reopen_logs, reopener)?;
        if let Some(supervision) = &daemon.respawn {
            let reopens = daemon.reopen_logs.is_some();
            streams.open_anew = Some(supervision.open_anew(&streams.candidates()?, reopener, reopens));
        }
        streams.truncate()?;
        if daemon.notify {
            streams.open_tail(account, daemon.launched_by.caller_sees_less())?;
        }
        Ok(streams)
    }

    fn logs_to_look_after(
        &self,
        reopen_logs: Option<&'static dyn Reopening>,
        reopener: &Reopener<'_>,
    ) -> Result<Vec<Log>, Error> {
        let mut logs = Vec::new();
        for candidate in self.candidates()? {
            // What rotates a log also reopens it.
            if let Some(option) = candidate.limit.map(|limit| limit.code).or(reopen_logs) {
                logs.extend(option.prepare(&candidate, reopener)?);
            }
        }
        Ok(logs)
    }

    /// The streams that were given by a path. If both are open on the same file, it is one log.
    fn candidates(&self) -> Result<Vec<Candidate<'_>>, Error> {
        use StandardStream::{Stderr, Stdout};
        let stdout = self.stdout.candidate("stdout", &[Stdout]);
        if self.stderr_follows {
            return Ok(stdout.map(|stdout| Candidate { streams: &[Stdout, Stderr], ..stdout }).into_iter().collect());
        }
        match (stdout, self.stderr.candidate("stderr", &[Stderr])) {
            (Some(stdout), Some(stderr)) if sys::are_the_same(stdout.file.as_raw_fd(), stderr.file.as_raw_fd()) => {
                let limit = Limit::common(stdout.limit, stderr.limit)?;
                Ok(vec![Candidate { streams: &[Stdout, Stderr], limit, ..stdout }])
            }
            (stdout, stderr) => Ok(stdout.into_iter().chain(stderr).collect()),
        }
    }

    fn truncate(&self) -> Result<(), Error> {
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let Stream::Log(log) = stream else { continue };
            log.truncate()?.map_err(|error| Error::because(format!("cannot truncate {name}"), error))?;
        }
        Ok(())
    }

    /// Opens standard error for reading, for [`stderr_tail`](Self::stderr_tail). A log may hold what others wrote, so
    /// it is not shown to a caller who could not read it.
    fn open_tail(&mut self, account: Option<&Account>, caller_sees_less: bool) -> Result<(), Error> {
        match &self.stderr {
            Stream::Null if stderr_buffer::has_limit() => {}
            // Without the buffer, the daemon still starts, but if it fails nobody sees why.
            Stream::Null => _ = self.buffer_stderr(),
            Stream::Log(log) if !caller_sees_less => {
                self.stderr_tail = log.reader(account)?.and_then(|reader| StderrTail::new(reader).ok());
            }
            Stream::Log(_) | Stream::File(_) | Stream::Inherited => {}
        }
        Ok(())
    }

    fn buffer_stderr(&mut self) -> io::Result<()> {
        let stderr_buffer = StderrBuffer::new(self.null.file.try_clone()?)?;
        self.stderr_tail = Some(StderrTail::new(stderr_buffer.file().try_clone()?)?);
        self.stderr_buffer = Some(stderr_buffer);
        Ok(())
    }

    /// What the daemon has written to standard error so far.
    pub(crate) fn stderr_tail(&self) -> String {
        self.stderr_tail.as_ref().map_or_else(String::new, StderrTail::appended)
    }

    /// Makes the streams descriptors 0, 1 and 2.
    pub(crate) fn redirect(self) -> Result<RedirectedStreams, Error> {
        let stderr_null_device = matches!(self.stderr, Stream::Null).then_some(self.null.number);
        let null = &self.null.file;
        let stderr_null = self.stderr_buffer.as_ref().map_or(null, StderrBuffer::file);
        let mut created = Vec::new();
        for (stream, null, name, target) in [
            (self.stdin, null, "stdin", StandardStream::Stdin),
            (self.stdout, null, "stdout", StandardStream::Stdout),
            (self.stderr, stderr_null, "stderr", StandardStream::Stderr),
        ] {
            let new = stream
                .redirect(target, null)
                .map_err(|error| Error::because(format!("cannot redirect {name}"), error))?;
            created.extend(new);
        }
        Ok(RedirectedStreams {
            stderr_buffer: self.stderr_buffer,
            logs: self.logs,
            log_options: self.log_options,
            open_anew: self.open_anew,
            stderr_null_device,
            created,
        })
    }
}
