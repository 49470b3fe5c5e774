//! A program that closes descriptors which are not its own, and has a connection of its own under their numbers.

use std::{
    collections::BTreeSet,
    error::Error,
    fs,
    io::{self, Read, Write},
    os::{
        fd::{FromRawFd, IntoRawFd, RawFd},
        unix::{fs::MetadataExt, net::UnixStream},
    },
    sync::{Mutex, PoisonError},
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::stat::fstat,
    unistd,
};

static KEPT: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

static CLOSED: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

/// Both ends of the connection, and the numbers that stand for the first.
static TAKEN: Mutex<Option<(UnixStream, UnixStream, Vec<RawFd>)>> = Mutex::new(None);

/// Of none of the numbers.
const BEYOND: RawFd = 100;

/// What is open now keeps its number.
pub(crate) fn note() -> io::Result<()> {
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = open()?;
    Ok(())
}

/// All others are closed.
pub(crate) fn close() -> Result<(), Box<dyn Error>> {
    let numbers = &open()? - &*KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    numbers.iter().try_for_each(|&number| unistd::close(number))?;
    *CLOSED.lock().unwrap_or_else(PoisonError::into_inner) = numbers;
    Ok(())
}

/// What was closed becomes the connection.
pub(crate) fn take() -> Result<(), Box<dyn Error>> {
    let numbers = CLOSED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (own, peer) = UnixStream::pair()?;
    let [own, peer] = [own, peer].map(|end| fcntl(&end, FcntlArg::F_DUPFD_CLOEXEC(BEYOND)));
    // SAFETY: just opened, and nobody else's.
    let [own, peer] = unsafe { [UnixStream::from_raw_fd(own?), UnixStream::from_raw_fd(peer?)] };
    peer.set_nonblocking(true)?;
    own.set_nonblocking(true)?;
    for &number in &numbers {
        // SAFETY: whoever opened it is to find that it is somebody else's now.
        let _ = unsafe { unistd::dup3_raw(&own, number, OFlag::O_CLOEXEC) }?.into_raw_fd();
    }
    let taken = Some((own, peer, numbers.into_iter().collect()));
    *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = taken;
    Ok(())
}

/// Checks the result: nothing was written to it, none of the numbers has become anything else, and words go both ways.
pub(crate) fn look() -> Result<(), Box<dyn Error>> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let (own, peer, numbers) = taken.as_mut().ok_or("no number was taken")?;
    if numbers.is_empty() {
        return Err("there was no number to take".into());
    }
    for number in numbers {
        let is_own = fs::metadata(format!("/proc/self/fd/{number}"))
            .is_ok_and(|found| fstat(&*own).is_ok_and(|own| own.st_ino == found.ino()));
        if !is_own {
            return Err(format!("{number} is another file").into());
        }
    }
    for (one, other) in [(&*own, &*peer), (&*peer, &*own)] {
        let (mut one, mut other, mut heard) = (one, other, [0; 64]);
        one.write_all(b"word")?;
        let length = other.read(&mut heard)?;
        if &heard[..length] != b"word" {
            return Err(format!("it heard {}", heard[..length].escape_ascii()).into());
        }
    }
    Ok(())
}

fn open() -> io::Result<BTreeSet<RawFd>> {
    let names = fs::read_dir("/proc/self/fd")?.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()));
    let numbers: io::Result<Vec<String>> = names.collect();
    Ok(numbers?.iter().filter_map(|name| name.parse().ok()).filter(|&number| is_open(number)).collect())
}

/// The directory itself was, when it was read.
fn is_open(number: RawFd) -> bool {
    fs::exists(format!("/proc/self/fd/{number}")).unwrap_or_default()
}
