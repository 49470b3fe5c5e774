//! The daemon's standard streams: opened in the launcher, where an error has a reader, and put in place in the daemon.

mod in_place;
mod open;
mod reopening;
mod shown;
pub(crate) mod stand_in;
mod stream;

pub(crate) use self::{
    in_place::InPlace,
    reopening::{ReopenLogs, Reopener, Reopening},
};

use std::{io, mem};

use nix::libc;

use self::{reopening::WatchLogs, shown::ErrorStream, stand_in::StandIn, stream::Stream};
use crate::{
    Daemon, Error,
    null::{self, Null},
    privileges::Account,
    sys::StandardStream,
};

/// Every descriptor in here is above the standard ones, so that putting one in place destroys no other.
pub(crate) struct Streams {
    null: Null,
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
    stderr_follows: bool,
    /// The number of the null device, if errors go there.
    unread: Option<libc::dev_t>,
    /// What sees to it that they are opened anew, if they are to be.
    watch_logs: Option<WatchLogs>,
    stand_in: Option<StandIn>,
    shown: Option<ErrorStream>,
}

impl Streams {
    /// `account` is who the daemon becomes, `reopener` who opens its logs anew.
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
            unread: stderr.leads_to(libc::STDERR_FILENO, null.number).then_some(null.number),
            null,
            stdin,
            stdout,
            stderr,
            stderr_follows,
            watch_logs: None,
            stand_in: None,
            shown: None,
        };
        if let Some(reopen_logs) = daemon.reopen_logs {
            streams.watch_logs = Some(reopen_logs.prepare(&streams, reopener)?);
        }
        streams.truncate()?;
        if daemon.notify {
            streams.show_errors(account, daemon.launched_by.caller_sees_less())?;
        }
        Ok(streams)
    }

    fn truncate(&self) -> Result<(), Error> {
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            stream.truncate()?.map_err(|error| Error::because(format!("cannot truncate {name}"), error))?;
        }
        Ok(())
    }

    /// Opens a second way into the error stream, for [`said`](Self::said). A log may hold what others said: it is not for a
    /// caller who could not read it.
    fn show_errors(&mut self, account: Option<&Account>, caller_sees_less: bool) -> Result<(), Error> {
        match &self.stderr {
            Stream::Null if stand_in::has_limit() => {}
            // Without it the daemon starts as well, and only its reasons are not seen.
            Stream::Null => _ = self.stand_in(),
            Stream::File { file, path: Some(path), .. } if !caller_sees_less => {
                let (_, found) = open::open(path, account, |judged| open::again_for_reading(file, path, judged))?;
                let reader = found.ok().and_then(|found| found.file);
                self.shown = reader.and_then(|reader| ErrorStream::new(reader.into()).ok());
            }
            Stream::File { .. } | Stream::Inherited => {}
        }
        Ok(())
    }

    fn stand_in(&mut self) -> io::Result<()> {
        let stand_in = StandIn::new(self.null.file.try_clone()?)?;
        self.shown = Some(ErrorStream::new(stand_in.file().try_clone()?)?);
        self.stand_in = Some(stand_in);
        Ok(())
    }

    /// What the daemon wrote to its error stream so far.
    pub(crate) fn said(&self) -> String {
        self.shown.as_ref().map_or_else(String::new, ErrorStream::appended)
    }

    /// The streams become descriptors 0, 1 and 2.
    pub(crate) fn put_in_place(self) -> Result<InPlace, Error> {
        let null = &self.null.file;
        let stderr_null = self.stand_in.as_ref().map_or(null, StandIn::file);
        let mut created = Vec::new();
        for (stream, null, name, target) in [
            (self.stdin, null, "stdin", StandardStream::Stdin),
            (self.stdout, null, "stdout", StandardStream::Stdout),
            (self.stderr, stderr_null, "stderr", StandardStream::Stderr),
        ] {
            let new = stream
                .become_descriptor(target, null)
                .map_err(|error| Error::because(format!("cannot redirect {name}"), error))?;
            created.extend(new);
        }
        Ok(InPlace { stand_in: self.stand_in, watch_logs: self.watch_logs, unread: self.unread, created })
    }
}
