//! Runs a program as a test wants it to be launched:
//! `arrange [--terminal PATH] [--fd N=PATH] [--close N] [--close-others] [--lock N] [--ignore SIGNAL]
//! [--ignore-real-time] [--block-all] [--group] [--groups N,N] [--umask MODE] [--key NAME] [--fill-keys] [--nameless]
//! [--fuse DIRECTORY=TARGET] -- program argument…`

#![allow(unsafe_code)]

use std::{
    env,
    error::Error,
    ffi::CString,
    fs::File,
    os::{
        fd::{AsRawFd, IntoRawFd, RawFd},
        unix::ffi::OsStringExt,
    },
    str::FromStr,
};

use nix::{
    errno::Errno,
    libc,
    sys::signal::{SigHandler, SigSet, Signal, signal},
    unistd::{self, Gid},
};

#[path = "fuse.rs"]
mod fuse;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let mut is_nameless = false;
    while let Some(option) = arguments.next() {
        let option = option.into_string().map_err(|_| "option")?;
        if option == "--" {
            break;
        }
        let mut value = || arguments.next().and_then(|value| value.into_string().ok()).ok_or("value");
        match option.as_str() {
            "--terminal" => take_terminal(&value()?)?,
            "--fd" => {
                let value = value()?;
                let (number, path) = value.split_once('=').ok_or("N=PATH")?;
                open_as(number.parse()?, path)?;
            }
            "--close" => unistd::close(value()?.parse::<RawFd>()?)?,
            "--ignore" => {
                // SAFETY: no handler is set.
                unsafe { signal(Signal::from_str(&value()?)?, SigHandler::SigIgn) }?;
            }
            "--default" => {
                // SAFETY: no handler is set.
                unsafe { signal(Signal::from_str(&value()?)?, SigHandler::SigDfl) }?;
            }
            "--ignore-real-time" => {
                for number in libc::SIGRTMIN()..=libc::SIGRTMAX() {
                    // SAFETY: no handler is set.
                    unsafe { libc::signal(number, libc::SIG_IGN) };
                }
            }
            "--lock" => {
                let number: RawFd = value()?.parse()?;
                // SAFETY: changes nothing but the lock.
                Errno::result(unsafe { libc::flock(number, libc::LOCK_EX | libc::LOCK_NB) })?;
            }
            "--block-all" => SigSet::all().thread_set_mask()?,
            "--close-others" => {
                // SAFETY: above the standard streams nothing is open here that anyone owns.
                Errno::result(unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) })?;
            }
            "--groups" => {
                let groups =
                    value()?.split(',').map(|group| group.parse().map(Gid::from_raw)).collect::<Result<Vec<_>, _>>()?;
                unistd::setgroups(&groups)?;
            }
            "--umask" => {
                let mask = libc::mode_t::from_str_radix(&value()?, 8)?;
                nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
            }
            "--key" => {
                join_new_session_keyring()?;
                add_key(&value()?)?;
            }
            "--fill-keys" => {
                join_new_session_keyring()?;
                let refused = (0..100_000).find_map(|number| add_key(&number.to_string()).err());
                if refused != Some(Errno::EDQUOT) {
                    return Err(format!("no limit: {refused:?}").into());
                }
            }
            "--fuse" => {
                let value = value()?;
                let (directory, target) = value.split_once('=').ok_or("DIRECTORY=TARGET")?;
                fuse::serve(directory, target)?;
            }
            "--nameless" => is_nameless = true,
            "--group" => unistd::setpgid(unistd::Pid::from_raw(0), unistd::Pid::from_raw(0))?,
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    let command = arguments.map(|argument| CString::new(argument.into_vec())).collect::<Result<Vec<_>, _>>()?;
    let program = command.first().ok_or("no program")?;
    match unistd::execvp(program, if is_nameless { &[] } else { &command[..] })? {}
}

/// keyctl(2): one without a key.
fn join_new_session_keyring() -> nix::Result<()> {
    // SAFETY: without a name nothing is read.
    Errno::result(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, 0) })?;
    Ok(())
}

/// `add_key(2)`: in the session keyring, and what it says is `words`.
fn add_key(name: &str) -> nix::Result<()> {
    let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    let (kind, words) = (c"user", b"words");
    let added = unsafe {
        // SAFETY: the texts end with a NUL byte, and the length is that of the words.
        libc::syscall(
            libc::SYS_add_key,
            kind.as_ptr(),
            name.as_ptr(),
            words.as_ptr(),
            words.len(),
            libc::KEY_SPEC_SESSION_KEYRING,
        )
    };
    Errno::result(added)?;
    Ok(())
}

/// A session leader that opens a terminal gets it as its controlling one.
fn take_terminal(path: &str) -> Result<(), Box<dyn Error>> {
    unistd::setsid()?;
    let terminal = File::options().read(true).write(true).open(path)?;
    unistd::dup2_stdin(&terminal)?;
    unistd::dup2_stdout(&terminal)?;
    unistd::dup2_stderr(&terminal)?;
    Ok(())
}

fn open_as(number: RawFd, path: &str) -> Result<(), Box<dyn Error>> {
    let file = File::options().read(true).append(true).create(true).open(path)?;
    if file.as_raw_fd() == number {
        // SAFETY: changes a flag of an open descriptor.
        unsafe { libc::fcntl(file.into_raw_fd(), libc::F_SETFD, 0) };
    } else {
        // SAFETY: the number is not in use: 0 to 2 and what the test chose to hand on are all that is open here.
        let _ = unsafe { unistd::dup2_raw(&file, number) }?.into_raw_fd();
    }
    Ok(())
}
