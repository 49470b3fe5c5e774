//! Does something in a separate process that has only the user's ids.
//!
//! A file system in user space that is mounted without `allow_root` admits only processes that have no ids but the
//! user's, mount.fuse3(8). The launcher could not change all of its ids back.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    libc,
    unistd::{ForkResult, Pid},
};

use super::{account::Account, change::become_for_good};
use crate::{
    error::refused,
    null,
    sys::{self, FileId, StandardStream},
    threads::{self, Step},
};

/// The user may stop the process, kill(2), or may serve the file system. So there is a limit to the wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest text of an error.
const LIMIT: usize = 4096;

/// Tags of a message.
const FOUND: u8 = 0;
const NUMBER: u8 = 1;
const TEXT: u8 = 2;

/// What an action returns.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) file: Option<OwnedFd>,
    /// The file, if it was created.
    pub(crate) created: Option<FileId>,
}

/// Another process runs it in a copy of the memory. Only what it found comes back here.
pub(crate) type Action<'start> = dyn FnMut() -> io::Result<Found> + 'start;

/// None if the process could not run it.
pub(super) fn act_apart(account: &Account, action: &mut Action<'_>) -> Option<io::Result<Found>> {
    let on_child = sys::default_action(libc::SIGCHLD); // only this code waits for the child
    let answer = run(account, action);
    on_child.restore();
    answer.ok()
}

fn run(account: &Account, action: &mut Action<'_>) -> io::Result<io::Result<Found>> {
    let thread = threads::require_single_thread(Step::Fork)?;
    let (here, there) = UnixStream::pair()?;
    match sys::fork(&thread)? {
        ForkResult::Parent { child } => {
            drop(there);
            let answer = receive(&here);
            end(child);
            answer
        }
        ForkResult::Child => {
            drop(here);
            leave_standard_streams();
            let is_told = become_for_good(account, &thread).is_ok_and(|()| send(&there, action()).is_ok());
            sys::exit_now(u8::from(!is_told))
        }
    }
}

/// In the separate process: somebody who reads the launcher's output to its end must not wait for a process that cannot
/// be ended.
fn leave_standard_streams() {
    if let Ok(null) = null::open() {
        for stream in [StandardStream::Stdin, StandardStream::Stdout, StandardStream::Stderr] {
            let _ = sys::redirect(stream, null.file.as_fd());
        }
    }
}

/// Ends the process, which has nothing more to do. If it is waiting for the server of a file system, even SIGKILL does
/// not end it.
fn end(child: Pid) {
    let _ = sys::kill(child, libc::SIGKILL);
    let deadline = Instant::now() + PATIENCE;
    while matches!(sys::reap(child), Ok(None)) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}

fn send(socket: &UnixStream, answer: io::Result<Found>) -> io::Result<()> {
    let (bytes, file) = match answer {
        Ok(Found { file, created }) => {
            let created = created.map(|id| [&id.device.to_ne_bytes()[..], &id.inode.to_ne_bytes()].concat());
            ([vec![FOUND], created.unwrap_or_default()].concat(), file)
        }
        // The launcher's own attempt came first, and has already said why it is not permitted.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            ([&[NUMBER], &libc::EACCES.to_ne_bytes()[..]].concat(), None)
        }
        Err(error) => match error.raw_os_error() {
            Some(number) => ([&[NUMBER], &number.to_ne_bytes()[..]].concat(), None),
            None => ([&[TEXT], error.to_string().as_bytes()].concat(), None),
        },
    };
    sys::send_with_file(socket.as_fd(), &bytes[..bytes.len().min(LIMIT)], file.as_ref().map(AsFd::as_fd))
}

/// Receives one message. It was sent by one call, and the socket keeps it whole.
fn receive(socket: &UnixStream) -> io::Result<io::Result<Found>> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut bytes = [0; LIMIT];
    let (length, file) = sys::receive_with_file(socket.as_fd(), &mut bytes)?;
    match &bytes[..length] {
        [FOUND, created @ ..] => Ok(Ok(Found { file, created: file_id(created) })),
        [NUMBER, number @ ..] => {
            let number = number.try_into().map_err(io::Error::other)?;
            Ok(Err(io::Error::from_raw_os_error(i32::from_ne_bytes(number))))
        }
        [TEXT, text @ ..] => Ok(Err(refused(String::from_utf8_lossy(text)))),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn file_id(bytes: &[u8]) -> Option<FileId> {
    let (device, inode) = bytes.split_at_checked(size_of::<libc::dev_t>())?;
    Some(FileId {
        device: libc::dev_t::from_ne_bytes(device.try_into().ok()?),
        inode: libc::ino_t::from_ne_bytes(inode.try_into().ok()?),
    })
}
