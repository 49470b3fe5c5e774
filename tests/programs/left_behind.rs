//! What a fork leaves behind: made in `setup`, looked for in `main` or from outside.

use std::{fs::File, mem, os::fd::AsRawFd, ptr};

use nix::{
    errno::Errno,
    libc::{self, c_int},
};

use super::Failure;

/// Long enough for every test.
const SECONDS: u16 = 10_000;

pub(crate) fn make(what: &str) -> Result<(), Failure> {
    match what {
        // SAFETY: has no preconditions.
        "alarm" => _ = unsafe { libc::alarm(SECONDS.into()) },
        "timer" => start_timer()?,
        // SAFETY: has no preconditions.
        "memory-lock" => _ = Errno::result(unsafe { libc::mlockall(libc::MCL_CURRENT) })?,
        "record-lock" => lock_record("locked")?,
        "priority" => raise_priority()?,
        other => return Err(format!("cannot make {other}").into()),
    }
    Ok(())
}

/// The seconds that an alarm has left.
pub(crate) fn alarm() -> u32 {
    // SAFETY: has no preconditions.
    unsafe { libc::alarm(0) }
}

fn start_timer() -> Result<(), Errno> {
    let mut timer = ptr::null_mut();
    // SAFETY: without an event it is SIGALRM, and `timer` is a place for the result.
    Errno::result(unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, ptr::null_mut(), &raw mut timer) })?;
    // SAFETY: all zeroes is a valid time.
    let mut time: libc::itimerspec = unsafe { mem::zeroed() };
    time.it_value.tv_sec = SECONDS.into();
    // SAFETY: the timer was just made, and `time` is valid.
    Errno::result(unsafe { libc::timer_settime(timer, 0, &raw const time, ptr::null_mut()) })?;
    Ok(())
}

/// The file stays open.
fn lock_record(path: &str) -> Result<(), Failure> {
    let file = File::create(path)?;
    // SAFETY: all zeroes is a valid lock: of the whole file.
    let mut lock: libc::flock = unsafe { mem::zeroed() };
    lock.l_type = libc::F_WRLCK.try_into()?;
    // SAFETY: `lock` is valid.
    Errno::result(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const lock) })?;
    mem::forget(file);
    Ok(())
}

fn raise_priority() -> Result<(), Errno> {
    const RESET_ON_FORK: c_int = 0x4000_0000; // sched(7)
    // SAFETY: has no preconditions.
    Errno::result(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -5) })?;
    // SAFETY: all zeroes is a valid parameter.
    let parameter: libc::sched_param = unsafe { mem::zeroed() };
    // SAFETY: `parameter` is valid.
    Errno::result(unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER | RESET_ON_FORK, &raw const parameter) })?;
    Ok(())
}
