//! How the program was launched: an upgrade executes it again in the same way.

use std::{
    convert::Infallible,
    env,
    ffi::{CString, OsStr, OsString},
    fs, hint, io,
    os::{
        fd::RawFd,
        unix::{
            ffi::{OsStrExt, OsStringExt},
            fs::MetadataExt,
        },
    },
    path::{Path, PathBuf},
    process,
};

use nix::{
    libc,
    sys::{
        signal::SigSet,
        stat::{Mode, umask},
    },
    unistd::{chdir, execve},
};

use super::handover::{NONE, VERSION};
use crate::{Error, inherited::Inherited, launched_by::VARIABLE, sys, terminal::shown};

/// `SD_LISTEN_FDS_START` of `sd_listen_fds(3)`.
const FIRST_PASSED: RawFd = libc::STDERR_FILENO + 1;

/// What `sd_listen_fds(3)` reads. The variables of the launch are about other sockets.
const PASSING: [&str; 4] = ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"];

#[derive(Debug)]
pub(super) struct Launch {
    program: PathBuf,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    directory: PathBuf,
    umask: Mode,
}

/// What the program gets in addition.
pub(super) struct Descriptors<'supervisor> {
    pub(super) line: RawFd,
    pub(super) stderr: RawFd,
    pub(super) handed_over: HandedOver<'supervisor>,
}

/// Of what the supervisor has open.
#[derive(Clone, Copy)]
pub(super) struct HandedOver<'supervisor> {
    pub(super) lock: Option<RawFd>,
    pub(super) manager: Option<RawFd>,
    pub(super) keep: &'supervisor [RawFd],
}

impl Launch {
    /// None if the program cannot be launched again with the same rights, or if it is unknown how.
    pub(super) fn note(inherited: &Inherited) -> Option<Self> {
        if sys::exec_gave_privileges() {
            return None;
        }
        let directory = inherited.directory()?.to_owned();
        let umask_now = umask(Mode::all());
        umask(umask_now);
        Some(Self {
            program: program(&directory)?,
            arguments: env::args_os().map(c_string).collect::<Option<_>>()?,
            environment: environment()?,
            directory,
            umask: umask_now,
        })
    }

    /// In the daemon: what `keep_env` removes must not be found in its memory either.
    pub(super) fn wipe(self) {
        self.environment.into_iter().map(CString::into_bytes).for_each(wipe);
    }

    /// In a process forked for this. Returns only if it fails.
    pub(super) fn execute(&self, descriptors: &Descriptors<'_>) -> Error {
        match self.try_to_execute(descriptors) {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    fn try_to_execute(&self, descriptors: &Descriptors<'_>) -> Result<Infallible, Error> {
        let program = shown(&self.program);
        let cannot = |error: io::Error| Error::because(format!("cannot execute {program}"), error);
        let (passed, handed_over) = descriptors.arrange()?;
        let [line, stderr, lock, manager] =
            handed_over.map(|fd| fd.map_or_else(|| NONE.to_owned(), |fd| fd.to_string()));
        let mut environment = self.environment.clone();
        for (name, value) in [
            (VARIABLE, format!("{VERSION} {line} {stderr} {lock} {manager}")),
            ("LISTEN_PID", process::id().to_string()),
            ("LISTEN_FDS", passed.to_string()),
        ] {
            environment.extend(variable(OsStr::new(name), OsStr::new(&value)));
        }
        chdir(&self.directory)
            .map_err(|error| Error::because(format!("cannot change directory to {}", shown(&self.directory)), error))?;
        umask(self.umask);
        let path = c_string(self.program.clone().into()).unwrap_or_default();
        let _ = SigSet::empty().thread_set_mask();
        execve(&path, &self.arguments, &environment).map_err(|error| cannot(error.into()))
    }
}

impl Descriptors<'_> {
    /// Puts the bound sockets where `sd_listen_fds(3)` looks for them, and closes everything else except for the
    /// descriptors to keep. Returns how many sockets there are, and the new numbers of the line, standard error, the lock
    /// and the socket to the manager.
    fn arrange(&self) -> Result<(RawFd, [Option<RawFd>; 4]), Error> {
        let HandedOver { lock, manager, keep } = self.handed_over;
        let cannot = |error: io::Error| Error::because("cannot hand over the sockets", error);
        let stderr = sys::duplicate_above(libc::STDERR_FILENO, FIRST_PASSED);
        sys::place(self.stderr, libc::STDERR_FILENO).map_err(cannot)?; // first: errors go there
        let stderr = stderr.map_err(cannot)?;
        let open = crate::inherited::open_descriptors();
        let is_own = |fd: &RawFd| [Some(self.line), lock, manager].contains(&Some(*fd)) || *fd < FIRST_PASSED;
        let mut sockets: Vec<_> = open.iter().copied().filter(|fd| !is_own(fd) && !keep.contains(fd)).collect();
        sockets.retain(|&fd| sys::is_bound_socket(fd));
        sockets.sort_unstable();
        let sockets = without_copies(&sockets);
        let passed = RawFd::try_from(sockets.len()).unwrap_or_default();
        let end = FIRST_PASSED + passed;
        if let Some(kept) = keep.iter().find(|kept| (FIRST_PASSED..end).contains(kept)) {
            return Err(Error::new(format!(
                "cannot hand over the sockets: `keep_fds` has descriptor {kept}, which `LISTEN_FDS` counts"
            )));
        }
        let copy = |fd| sys::duplicate_above(fd, end).map_err(cannot);
        let sockets = sockets.into_iter().map(copy).collect::<Result<Vec<_>, _>>()?;
        let own = [Some(self.line), Some(stderr), lock, manager];
        let mut copies = [None; 4];
        for (copied, own) in copies.iter_mut().zip(own) {
            *copied = own.map(copy).transpose()?;
        }
        for fd in open.into_iter().filter(|fd| *fd >= FIRST_PASSED && !keep.contains(fd)) {
            let _ = sys::set_close_on_exec(fd, true); // it may be closed by now
        }
        for (place, socket) in (FIRST_PASSED..).zip(sockets) {
            sys::place(socket, place).map_err(cannot)?;
        }
        for fd in copies.into_iter().flatten() {
            sys::set_close_on_exec(fd, false).map_err(cannot)?;
        }
        Ok((passed, copies))
    }
}

/// Otherwise, a `setup` that copies the sockets it takes would double their number with each upgrade.
fn without_copies(sockets: &[RawFd]) -> Vec<RawFd> {
    let is_first =
        |&(index, &fd): &(usize, &RawFd)| !sockets[..index].iter().any(|&other| sys::are_the_same(other, fd));
    sockets.iter().enumerate().filter(is_first).map(|(_, &fd)| fd).collect()
}

/// The path by which it was executed. It may be a link that will lead to a new version. Otherwise the path of its file.
fn program(directory: &Path) -> Option<PathBuf> {
    let file = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let is_of_this_process = |path: &PathBuf| path.starts_with("/proc") || path.starts_with("/dev"); // fexecve(3)
    let own = file(Path::new("/proc/self/exe"));
    sys::executed_path()
        .map(|path| directory.join(path))
        .filter(|path| !is_of_this_process(path) && own.is_some() && file(path) == own)
        .or_else(|| env::current_exe().ok().map(without_mark))
}

/// The kernel puts it behind the path of a file that was replaced or removed, proc(5).
fn without_mark(path: PathBuf) -> PathBuf {
    match path.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(replaced) if !path.exists() => Path::new(OsStr::from_bytes(replaced)).to_owned(),
        _ => path,
    }
}

/// Temporary copies are overwritten.
fn environment() -> Option<Vec<CString>> {
    let mut environment = Vec::new();
    for (name, value) in env::vars_os() {
        if !PASSING.into_iter().chain([VARIABLE]).any(|passing| name == passing) {
            environment.push(variable(&name, &value)?);
        }
        wipe(value.into_vec());
    }
    Some(environment)
}

fn wipe(mut bytes: Vec<u8>) {
    bytes.fill(0);
    hint::black_box(&bytes); // otherwise the compiler removes the overwriting
}

/// It has room for the NUL byte, so that the text is not moved.
fn variable(name: &OsStr, value: &OsStr) -> Option<CString> {
    let mut text = Vec::with_capacity(name.len() + 1 + value.len() + 1);
    for part in [name.as_bytes(), b"=", value.as_bytes()] {
        text.extend_from_slice(part);
    }
    CString::new(text).ok()
}

fn c_string(text: OsString) -> Option<CString> {
    CString::new(text.into_vec()).ok()
}
