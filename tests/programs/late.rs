//! A daemon that builds its options late: behind a library that opens a file as C libraries do, without close-on-exec.
//! `late REPORT [keep|early]` reports whether that is open in `main`.

#![allow(unsafe_code)]

use std::{
    env, fs,
    os::fd::RawFd,
    process::{self, ExitCode},
};

use daemon_rt::Daemon;
use nix::libc;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let (Some(report), way) = (arguments.next(), arguments.next()) else { process::exit(2) };
    let early = way.as_deref().filter(|&way| way == "early").map(|_| Daemon::new());
    let number = open();
    let mut daemon = early.unwrap_or_default();
    if way.as_deref() == Some("keep") {
        daemon.keep_fds([number]);
    }
    daemon.run(|| fs::write(report, is_open(number).to_string()))
}

fn open() -> RawFd {
    // SAFETY: the path is a C string.
    unsafe { libc::open(c"/usr".as_ptr(), libc::O_RDONLY) }
}

fn is_open(number: RawFd) -> bool {
    // SAFETY: only asks.
    unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }
}
