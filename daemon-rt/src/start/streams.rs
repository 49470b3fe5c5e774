//! The daemon's standard streams: opened in the launcher, where an error has a reader, and redirected in the leader.

mod file;
mod redirected;
mod reopening;
mod stderr_tail;
mod stream;

pub(crate) use self::{
    redirected::RedirectedStreams,
    reopening::{Candidate, OpenAnew, ReopenLogs, Reopener, Reopening, open_anew},
};

use std::{io, mem};

use nix::libc;

use self::{reopening::WatchLogs, stderr_tail::StderrTail, stream::Stream};
use crate::{
    Daemon, Error,
    null::{self, Null},
    privileges::Account,
    stderr_buffer::{self, StderrBuffer},
    sys::StandardStream,
};

/// Every descriptor in here is above the standard ones, so that a dup2(2) onto one of these closes no other.
pub(crate) struct Streams {
    null: Null,
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
    stderr_follows: bool,
    /// The null device, if standard error is to be open on it.
    stderr_null_device: Option<libc::dev_t>,
    /// With the option `reopen_logs`.
    watch_logs: Option<WatchLogs>,
    /// With the option `respawn`.
    open_anew: Option<OpenAnew>,
    stderr_buffer: Option<StderrBuffer>,
    stderr_tail: Option<StderrTail>,
}

impl Streams {
    /// `account` is who the daemon becomes, if that is another. `reopener` opens its logs anew.
    pub(crate) fn open(daemon: &mut Daemon, account: Option<&Account>, reopener: &Reopener<'_>) -> Result<Self, Error> {
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
        let mut streams = Self {
            stderr_null_device: stderr.leads_to(libc::STDERR_FILENO, null.number).then_some(null.number),
            null,
            stdin,
            stdout,
            stderr,
            stderr_follows,
            watch_logs: None,
            open_anew: None,
            stderr_buffer: None,
            stderr_tail: None,
        };
        if let Some(reopen_logs) = daemon.reopen_logs {
            streams.watch_logs = Some(reopen_logs.prepare(&streams.logs(), reopener)?);
        }
        if let Some(supervision) = &daemon.respawn {
            streams.open_anew = Some(supervision.open_anew(&streams.logs(), reopener, daemon.reopen_logs.is_some()));
        }
        streams.truncate()?;
        if daemon.notify {
            streams.open_tail(account, daemon.launched_by.caller_sees_less())?;
        }
        Ok(streams)
    }

    /// What was given by a path. Where stderr follows stdout, the two are one log.
    fn logs(&self) -> Vec<Candidate<'_>> {
        use StandardStream::{Stderr, Stdout};
        let outputs: &[(_, _, &'static [StandardStream])] = if self.stderr_follows {
            &[("stdout", &self.stdout, &[Stdout, Stderr])]
        } else {
            &[("stdout", &self.stdout, &[Stdout]), ("stderr", &self.stderr, &[Stderr])]
        };
        let mut logs = Vec::new();
        for &(name, opened, streams) in outputs {
            if let Stream::File { file, path: Some(path), created, .. } = opened {
                logs.push(Candidate { name, streams, path, file, is_new: created.is_some() });
            }
        }
        logs
    }

    fn truncate(&self) -> Result<(), Error> {
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            stream.truncate()?.map_err(|error| Error::because(format!("cannot truncate {name}"), error))?;
        }
        Ok(())
    }

    /// Opens standard error for reading, for [`stderr_tail`](Self::stderr_tail). A log may hold what others said: it is not shown to a
    /// caller who could not read it.
    fn open_tail(&mut self, account: Option<&Account>, caller_sees_less: bool) -> Result<(), Error> {
        match &self.stderr {
            Stream::Null if stderr_buffer::has_limit() => {}
            // Where it cannot be had, the daemon starts all the same, and nobody sees why it fails.
            Stream::Null => _ = self.buffer_stderr(),
            Stream::File { file, path: Some(path), .. } if !caller_sees_less => {
                let (_, found) = file::open(path, account, |judged| file::again_for_reading(file, path, judged))?;
                let reader = found.ok().and_then(|found| found.file);
                self.stderr_tail = reader.and_then(|reader| StderrTail::new(reader.into()).ok());
            }
            Stream::File { .. } | Stream::Inherited => {}
        }
        Ok(())
    }

    fn buffer_stderr(&mut self) -> io::Result<()> {
        let stderr_buffer = StderrBuffer::new(self.null.file.try_clone()?)?;
        self.stderr_tail = Some(StderrTail::new(stderr_buffer.file().try_clone()?)?);
        self.stderr_buffer = Some(stderr_buffer);
        Ok(())
    }

    /// What the daemon wrote to standard error so far.
    pub(crate) fn stderr_tail(&self) -> String {
        self.stderr_tail.as_ref().map_or_else(String::new, StderrTail::appended)
    }

    /// Makes the streams descriptors 0, 1 and 2.
    pub(crate) fn redirect(self) -> Result<RedirectedStreams, Error> {
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
            watch_logs: self.watch_logs,
            open_anew: self.open_anew,
            stderr_null_device: self.stderr_null_device,
            created,
        })
    }
}
