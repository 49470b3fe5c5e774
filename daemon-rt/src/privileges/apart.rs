//! Doing something as the user with all of the user's ids, in a process of its own.
//!
//! A file system in user space that is mounted without `allow_root` lets in nobody of whose ids one is another's,
//! mount.fuse3(8). For the launcher itself, to change all of them would be for good.

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
    refusal::refused,
    sys::{self, FileId},
    threads::{self, Step},
};

/// The user may stop the process, kill(2), or serve the file system, and nobody waits for either for ever.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest text of an error.
const LIMIT: usize = 4096;

/// Tags of a message.
const FOUND: u8 = 0;
const NUMBER: u8 = 1;
const TEXT: u8 = 2;

/// What an action has for who wanted it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) file: Option<OwnedFd>,
    /// The file, if it was created.
    pub(crate) created: Option<FileId>,
}

/// An action that another process runs in its copy of the memory: it leaves nothing here but what it found.
pub(crate) type Action<'start> = dyn FnMut() -> io::Result<Found> + 'start;

/// None where the process did not come to it.
pub(super) fn act_apart(account: &Account, action: &mut Action<'_>) -> Option<io::Result<Found>> {
    let on_child = sys::default_action(libc::SIGCHLD); // it is nobody else's child
    let answer = run(account, action);
    on_child.restore();
    answer.ok()
}

fn run(account: &Account, action: &mut Action<'_>) -> io::Result<io::Result<Found>> {
    let thread = threads::refuse_second(Step::Fork)?;
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
            let is_told = become_for_good(account, &thread).is_ok_and(|()| send(&there, action()).is_ok());
            sys::exit_now(u8::from(!is_told))
        }
    }
}

/// It has nothing more to do. One that waits for the server of a file system, which has the request and does not answer,
/// does not even end on SIGKILL.
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
        // Why it is not permitted, whoever asked first has said already.
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

/// One message: what is sent by one call on a socket that holds as much comes as one.
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
