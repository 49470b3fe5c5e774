//! The daemon's standard streams: opened in the launcher, where an error has a reader, and put in place in the daemon.

use std::{
    fs::File,
    io, mem,
    os::fd::{AsFd, AsRawFd, IntoRawFd, RawFd},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
    unistd::{fchown, geteuid},
};

use super::{
    check,
    inherited::Inherited,
    null,
    open::{self, Created, Rights},
    reopening::{Candidate, Reopening},
    shown::ErrorStream,
    stand_in::{self, StandIn},
};
use crate::{
    Error, Stdio, last_words,
    logs::{self, Log},
    privileges::Account,
    stdio::Kind,
    sys,
};

/// Every descriptor in here is above the standard ones, so that putting one in place destroys no other.
pub(crate) struct Streams {
    null: File,
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
    stderr_follows: bool,
    /// Those that are opened anew, if any are to be.
    logs: Option<Vec<Log>>,
    stand_in: Option<StandIn>,
    shown: Option<ErrorStream>,
}

enum Stream {
    Inherited,
    Null,
    /// What was created is removed, if it is, while it is still open: its inode number cannot be another file's.
    File {
        created: Option<Created>,
        file: File,
        path: Option<PathBuf>,
        truncate: bool,
    },
}

/// The streams of a daemon that may fail to start yet.
pub(crate) struct InPlace {
    pub(crate) stand_in: Option<StandIn>,
    logs: Option<Vec<Log>>,
    null: libc::dev_t,
    created: Vec<Created>,
}

impl InPlace {
    /// What was created is the daemon's from now on.
    pub(crate) fn keep(&mut self) {
        self.created.drain(..).for_each(mem::forget);
    }

    /// Once the daemon is who it is to be, and before a signal can reach it.
    pub(crate) fn look_after(&mut self, name: String) {
        if let Some(logs) = self.logs.take() {
            logs::watch(logs);
        }
        if self.stand_in.is_some() || last_words::is_device(self.null) {
            last_words::arm(name, self.null);
        }
    }
}

impl Streams {
    /// `account`: who the daemon becomes. `reopening`: if its logs are opened anew. `until_ready`: the program itself
    /// tells when it is ready, and may write to its error stream before.
    pub(crate) fn open(
        stdin: Stdio,
        stdout: Stdio,
        stderr: Option<Stdio>,
        inherited: &Inherited,
        account: Option<&Account>,
        reopening: Option<&Reopening<'_>>,
        until_ready: bool,
    ) -> Result<Self, Error> {
        let null = null::open().map_err(|error| Error::because("cannot open /dev/null", error))?;
        let stdin = Stream::input(stdin, inherited, account)?;
        let stdout = Stream::output("stdout", stdout, inherited, account)?;
        let stderr_follows = stderr.is_none();
        let stderr = match stderr {
            Some(stderr) => Stream::output("stderr", stderr, inherited, account)?,
            None => stdout.duplicate().map_err(|error| Error::because("cannot duplicate stdout for stderr", error))?,
        };
        let mut streams = Self { null, stdin, stdout, stderr, stderr_follows, logs: None, stand_in: None, shown: None };
        streams.logs = reopening.map(|reopening| streams.to_reopen(reopening)).transpose()?;
        streams.truncate()?;
        if until_ready {
            streams.show_errors(account)?;
        }
        Ok(streams)
    }

    fn to_reopen(&self, reopening: &Reopening<'_>) -> Result<Vec<Log>, Error> {
        const OUT: RawFd = libc::STDOUT_FILENO;
        const ERR: RawFd = libc::STDERR_FILENO;
        let streams: &[(_, _, &'static [RawFd])] = if self.stderr_follows {
            &[("stdout", &self.stdout, &[OUT, ERR])]
        } else {
            &[("stdout", &self.stdout, &[OUT]), ("stderr", &self.stderr, &[ERR])]
        };
        streams
            .iter()
            .filter_map(|&(stream, opened, descriptors)| match opened {
                Stream::File { file, path: Some(path), created, .. } => {
                    let is_new = created.is_some();
                    reopening.log(&Candidate { stream, descriptors, path, file, is_new }).transpose()
                }
                _ => None,
            })
            .collect()
    }

    fn truncate(&self) -> Result<(), Error> {
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            stream.truncate().map_err(|error| Error::because(format!("cannot truncate {name}"), error))?;
        }
        Ok(())
    }

    /// Opens a second way into the error stream, for [`said`](Self::said).
    fn show_errors(&mut self, account: Option<&Account>) -> Result<(), Error> {
        match &self.stderr {
            Stream::Null if stand_in::has_limit() => {}
            Stream::Null => _ = self.stand_in(), // without it the daemon starts as well, and only its reasons are not seen
            Stream::File { file, path: Some(path), .. } => {
                let reader = Rights::of(account, path).act(|| Ok(open::again_for_reading(file, path)))?;
                self.shown = reader.ok().flatten().and_then(|reader| ErrorStream::new(reader).ok());
            }
            Stream::File { path: None, .. } | Stream::Inherited => {}
        }
        Ok(())
    }

    fn stand_in(&mut self) -> io::Result<()> {
        let stand_in = StandIn::new(self.null.try_clone()?)?;
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
        let null = sys::status_of(self.null.as_raw_fd())
            .map_err(|error| Error::because("cannot look at /dev/null", error))?
            .st_rdev;
        let stderr_null = self.stand_in.as_ref().map_or(&self.null, StandIn::file);
        let mut created = Vec::new();
        for (stream, null, name, target) in [
            (self.stdin, &self.null, "stdin", libc::STDIN_FILENO),
            (self.stdout, &self.null, "stdout", libc::STDOUT_FILENO),
            (self.stderr, stderr_null, "stderr", libc::STDERR_FILENO),
        ] {
            let new = stream
                .become_descriptor(target, null)
                .map_err(|error| Error::because(format!("cannot redirect {name}"), error))?;
            created.extend(new);
        }
        Ok(InPlace { stand_in: self.stand_in, logs: self.logs, null, created })
    }
}

impl Stream {
    fn input(stdio: Stdio, inherited: &Inherited, account: Option<&Account>) -> Result<Self, Error> {
        match stdio.0 {
            Kind::Null => Ok(Self::Null),
            Kind::Inherit => Ok(Self::Inherited),
            Kind::File(file) => Self::from_file("stdin", file),
            Kind::Append(path) => {
                let path = inherited.absolute(check::path("stdin", &path)?)?;
                let rights = Rights::of(account, &path);
                let file = rights
                    .act(|| open::for_reading(&path))?
                    .map_err(|error| cannot_open("stdin", &path, &rights, error))?;
                Ok(Self::File { file, path: None, truncate: false, created: None })
            }
            Kind::Truncate(_) => Err(Error::new(
                "`stdin` is read from, and cannot be truncated: give it the path, without `Stdio::truncate`",
            )),
        }
    }

    fn output(name: &str, stdio: Stdio, inherited: &Inherited, account: Option<&Account>) -> Result<Self, Error> {
        let truncate = matches!(stdio.0, Kind::Truncate(_));
        match stdio.0 {
            Kind::Null => Ok(Self::Null),
            Kind::Inherit => Ok(Self::Inherited),
            Kind::File(file) => Self::from_file(name, file),
            Kind::Append(path) | Kind::Truncate(path) => {
                let path = inherited.absolute(check::path(name, &path)?)?;
                let rights = Rights::of(account, &path);
                let owner = account.map_or_else(geteuid, |account| account.uid);
                let (file, created) = rights
                    .act(|| open::for_appending(&path, owner, &rights))?
                    .map_err(|error| cannot_open(name, &path, &rights, error))?;
                if let (Some(account), Some(_)) = (account, &created) {
                    give_away(&file, account).map_err(|error| {
                        Error::because(format!("cannot give {name} {} to {account}", path.display()), error)
                    })?;
                }
                Ok(Self::File { file, path: Some(path), truncate, created })
            }
        }
    }

    fn from_file(name: &str, file: File) -> Result<Self, Error> {
        let file = above_standard(file).map_err(|error| Error::because(format!("cannot duplicate {name}"), error))?;
        Ok(Self::File { file, path: None, truncate: false, created: None })
    }

    /// The same open file once more, so that two streams on it share one position.
    fn duplicate(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Inherited => Self::Inherited,
            Self::Null => Self::Null,
            Self::File { file, path, .. } => {
                Self::File { file: file.try_clone()?, path: path.clone(), truncate: false, created: None }
            }
        })
    }

    fn truncate(&self) -> io::Result<()> {
        match self {
            Self::File { file, truncate: true, .. } if file.metadata()?.is_file() => file.set_len(0),
            _ => Ok(()),
        }
    }

    fn become_descriptor(self, target: RawFd, null: &File) -> io::Result<Option<Created>> {
        match self {
            Self::Inherited => sys::set_close_on_exec(target, false)?,
            Self::Null => sys::duplicate_onto(null.as_fd(), target)?,
            Self::File { file, created, .. } => {
                sys::duplicate_onto(file.as_fd(), target)?;
                return Ok(created);
            }
        }
        Ok(None)
    }
}

fn cannot_open(name: &str, path: &Path, rights: &Rights, error: io::Error) -> Error {
    let what = match rights {
        Rights::Own => format!("cannot open {name} {}", path.display()),
        Rights::User(account) => format!("cannot open {name} {} as {account}", path.display()),
    };
    Error::because(what, error)
}

fn give_away(file: &File, account: &Account) -> io::Result<()> {
    Ok(fchown(file, Some(account.uid), Some(account.gid))?)
}

/// The same file under a number above the standard ones, which stay what they are to the launcher.
fn above_standard(file: File) -> io::Result<File> {
    if file.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(file);
    }
    let number = fcntl(&file, FcntlArg::F_DUPFD_CLOEXEC(libc::STDERR_FILENO + 1))?;
    let _ = file.into_raw_fd();
    Ok(sys::take(number).into())
}
