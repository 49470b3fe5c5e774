//! Processes: how they start and end, and how to wait for that.

use std::{io, mem, os::unix::process::ExitStatusExt, process::ExitStatus, ptr};

use nix::{
    errno::Errno,
    libc::{self, c_int},
    unistd::{ForkResult, Pid},
};

use super::signals::uninterrupted;
use crate::threads::SingleThread;

/// fork(2). The child is a copy of the whole process, because there is no other thread.
pub(crate) fn fork(_: &SingleThread) -> io::Result<ForkResult> {
    // SAFETY: POSIX restricts the child of a *multi-threaded* process to async-signal-safe calls, because locks held
    // by threads that are not copied stay locked; `SingleThread` is the evidence that there are none.
    Ok(unsafe { nix::unistd::fork() }?)
}

/// Whether the C library knows of no second thread. It knows only threads that it started, and may count a joined one
/// for ever. None if it does not say: glibc before 2.32, and other libraries.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_single_threaded_to_libc() -> Option<bool> {
    // SAFETY: the name ends with a NUL byte.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_single_threaded".as_ptr()) }.cast::<libc::c_char>();
    // SAFETY: a `char` of that name, libc manual 8.6, which lives as long as the program does. Only this thread writes
    // to it, or one that sets it to 0.
    (!found.is_null()).then(|| unsafe { found.read_volatile() } != 0)
}

/// The id of the calling thread; and whether a thread of this process has that id, which a joined thread keeps until
/// the kernel has removed it. On systems other than Linux, this is not known.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn thread_id() -> c_int {
    nix::unistd::gettid().as_raw()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_thread(id: c_int) -> bool {
    // SAFETY: the signal 0 is none, tgkill(2).
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), id, 0) == 0 }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn thread_id() -> c_int {
    0
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn is_thread(_: c_int) -> bool {
    false
}

/// `_exit(2)`: no destructor, no atexit handler, no flush of stdio. All that is done once, by the daemon.
pub(crate) fn exit_now(status: u8) -> ! {
    // SAFETY: has no preconditions.
    unsafe { libc::_exit(c_int::from(status)) }
}

/// Writes out the buffers of C libraries. Otherwise `_exit` would lose them, or the forked copy would write them again.
pub(crate) fn flush_c_streams() {
    // SAFETY: a null stream means all of them, fflush(3).
    unsafe { libc::fflush(ptr::null_mut()) };
}

/// atexit(3).
pub(crate) fn at_exit(function: extern "C" fn()) -> io::Result<()> {
    // SAFETY: the function lives as long as the program does.
    if unsafe { libc::atexit(function) } == 0 { Ok(()) } else { Err(io::ErrorKind::OutOfMemory.into()) }
}

/// waitpid(2) without waiting: returns the child if it has ended. Unlike nix's, it knows real-time signals.
pub(crate) fn reap(child: Pid) -> io::Result<Option<(Pid, ExitStatus)>> {
    let mut status = 0;
    // SAFETY: `status` is a valid place for the result.
    let wait = || Ok(Errno::result(unsafe { libc::waitpid(child.as_raw(), &raw mut status, libc::WNOHANG) })?);
    let pid = Pid::from_raw(uninterrupted(wait)?);
    let status = ExitStatus::from_raw(status);
    match status.stopped_signal() {
        _ if pid.as_raw() == 0 => Ok(None),
        Some(signal) => {
            stop_tracing(pid, signal);
            reap(child)
        }
        None => Ok(Some((pid, status))),
    }
}

/// If a child has made its parent its tracer, `PTRACE_TRACEME` of ptrace(2), it waits for its parent at each signal.
/// This gives it the signal, and stops the tracing.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn stop_tracing(child: Pid, signal: c_int) {
    let nothing: *mut libc::c_void = ptr::null_mut();
    let signal = if signal == libc::SIGTRAP { 0 } else { signal }; // it comes from ptrace itself, at an exec
    // SAFETY: takes no memory of this process. An error: it has just been killed.
    unsafe { libc::ptrace(libc::PTRACE_DETACH, child.as_raw(), nothing, libc::c_long::from(signal)) };
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn stop_tracing(_: Pid, _: c_int) {}

/// waitpid(2) for that child.
pub(crate) fn wait_for(child: Pid) -> io::Result<ExitStatus> {
    let mut status = 0;
    // SAFETY: `status` is a valid place for the result.
    uninterrupted(|| Ok(Errno::result(unsafe { libc::waitpid(child.as_raw(), &raw mut status, 0) })?))?;
    Ok(ExitStatus::from_raw(status))
}

/// waitid(2), without waiting for the child or reaping it. Returns whether it has ended and, if so, whether its status
/// was 0. Until it is reaped, no other process or group gets its number.
pub(crate) fn look_at(child: Pid) -> io::Result<Option<bool>> {
    let id = libc::id_t::try_from(child.as_raw()).map_err(io::Error::other)?;
    // SAFETY: all zeroes is a valid `siginfo_t`. It stays so where the child has not ended, waitid(2).
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` is a valid place for the result.
    uninterrupted(|| Ok(Errno::result(unsafe { libc::waitid(libc::P_PID, id, &raw mut info, flags) })?))?;
    // SAFETY: the child has ended, so there is a status.
    Ok((info.si_signo != 0).then(|| info.si_code == libc::CLD_EXITED && unsafe { info.si_status() } == 0))
}

/// kill(2) with any signal, including real-time ones.
pub(crate) fn kill(pid: Pid, signal: c_int) -> io::Result<()> {
    // SAFETY: has no preconditions.
    Errno::result(unsafe { libc::kill(pid.as_raw(), signal) })?;
    Ok(())
}
