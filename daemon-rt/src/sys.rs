//! The only place with `unsafe`: system calls that nix has no safe wrapper for, each small enough to judge at a glance.
#![allow(unsafe_code)]

use std::{
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::process::ExitStatusExt,
    },
    process::ExitStatus,
    ptr,
};

#[cfg(target_vendor = "apple")]
use std::ffi::CStr;

#[cfg(target_vendor = "apple")]
use nix::unistd::Gid;
use nix::{
    errno::Errno,
    libc::{self, c_int},
    sys::stat::FileStat,
    unistd::{ForkResult, Pid},
};

pub(crate) use self::{
    environment::{retain_variables, set_variable},
    hangup::on_hangup,
    local_socket::connect,
};
use crate::start::threads::SingleThread;

mod environment;
mod hangup;
mod local_socket;

/// Linux has 64 signals, FreeBSD 128; a number that a system does not know is refused with EINVAL and passed over.
const LAST_SIGNAL: c_int = if cfg!(any(target_os = "linux", target_os = "android")) { 64 } else { 128 };

/// fork(2). The child is a copy of the whole process, since there was no other thread.
pub(crate) fn fork(_: &SingleThread) -> io::Result<ForkResult> {
    // SAFETY: POSIX restricts the child of a *multi-threaded* process to async-signal-safe calls, because locks held
    // by threads that are not copied stay locked; `SingleThread` is the evidence that there are none.
    Ok(unsafe { nix::unistd::fork() }?)
}

/// `_exit(2)`: no destructor, no atexit handler, no stdio flush. What they would do is the daemon's to do, once.
pub(crate) fn exit_now(status: u8) -> ! {
    // SAFETY: has no preconditions.
    unsafe { libc::_exit(c_int::from(status)) }
}

/// Writes out what C libraries have buffered, so that it is not lost by `_exit` or written twice by the copy.
pub(crate) fn flush_c_streams() {
    // SAFETY: a null stream means all of them, fflush(3).
    unsafe { libc::fflush(ptr::null_mut()) };
}

/// waitpid(2) without waiting: a child that has ended, if there is one. Unlike nix's, it knows real-time signals.
pub(crate) fn reap(child: Pid) -> io::Result<Option<(Pid, ExitStatus)>> {
    wait_for(child, libc::WNOHANG)
}

/// waitpid(2) for a child that is known to end.
pub(crate) fn wait(child: Pid) -> io::Result<Option<(Pid, ExitStatus)>> {
    wait_for(child, 0)
}

fn wait_for(child: Pid, flags: c_int) -> io::Result<Option<(Pid, ExitStatus)>> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is a valid place for the result.
        match Errno::result(unsafe { libc::waitpid(child.as_raw(), &raw mut status, flags) }) {
            Ok(0) => return Ok(None),
            Ok(pid) => return Ok(Some((Pid::from_raw(pid), ExitStatus::from_raw(status)))),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// send(2) that never raises SIGPIPE: the program may have given that signal back its deadly default.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    #[cfg(target_vendor = "apple")]
    let flags = 0; // the standard library sets SO_NOSIGPIPE there
    #[cfg(not(target_vendor = "apple"))]
    let flags = libc::MSG_NOSIGNAL;
    loop {
        // SAFETY: pointer and length describe `bytes`.
        let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
        match Errno::result(sent) {
            Ok(sent) => return Ok(sent.unsigned_abs()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// flock(2) without waiting: whether the lock was free. An open file has one lock, whoever its descriptor is copied to.
pub(crate) fn lock(file: BorrowedFd<'_>, operation: c_int) -> io::Result<bool> {
    loop {
        // SAFETY: changes nothing but the lock.
        match Errno::result(unsafe { libc::flock(file.as_raw_fd(), operation | libc::LOCK_NB) }) {
            Ok(_) => return Ok(true),
            Err(Errno::EWOULDBLOCK) => return Ok(false),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// atexit(3).
pub(crate) fn at_exit(function: extern "C" fn()) -> io::Result<()> {
    // SAFETY: the function is there as long as the program is.
    if unsafe { libc::atexit(function) } == 0 { Ok(()) } else { Err(io::ErrorKind::OutOfMemory.into()) }
}

/// `pidfd_open(2)`. `Unsupported` before Linux 5.3, where a filter of system calls forbids it, and elsewhere.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: a new descriptor is returned, or an error.
    match Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) }) {
        Ok(fd) => {
            let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
            // SAFETY: just opened, and nobody else's.
            Ok(unsafe { OwnedFd::from_raw_fd(fd) })
        }
        Err(Errno::ENOSYS | Errno::EPERM) => Err(io::ErrorKind::Unsupported.into()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn pidfd_open(_: Pid) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// `pidfd_send_signal(2)`.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: c_int) -> io::Result<()> {
    let no_info = ptr::null::<libc::siginfo_t>();
    // SAFETY: without an info the kernel makes one as for kill(2).
    Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_info, 0) })?;
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn pidfd_send_signal(_: BorrowedFd<'_>, _: c_int) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// kill(2) with any signal, real-time ones too.
pub(crate) fn kill(pid: Pid, signal: c_int) -> io::Result<()> {
    // SAFETY: has no preconditions.
    Errno::result(unsafe { libc::kill(pid.as_raw(), signal) })?;
    Ok(())
}

/// fstat(2) of a number that may not be open at all.
pub(crate) fn status_of(fd: RawFd) -> io::Result<FileStat> {
    let mut status = MaybeUninit::uninit();
    // SAFETY: `status` is a valid place for the result; fstat(2) refuses a number that is not open.
    Errno::result(unsafe { libc::fstat(fd, status.as_mut_ptr()) })?;
    // SAFETY: written, since the call succeeded.
    Ok(unsafe { status.assume_init() })
}

/// isatty(3) of a number that may not be open at all.
pub(crate) fn is_terminal(fd: RawFd) -> bool {
    // SAFETY: has no preconditions; a number that is not open is refused.
    unsafe { libc::isatty(fd) == 1 }
}

/// The address family of a socket.
pub(crate) fn socket_family(fd: RawFd) -> io::Result<c_int> {
    // SAFETY: all zeroes is a valid address, of no family.
    let mut address: libc::sockaddr_storage = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut length = libc::socklen_t::try_from(size_of_val(&address)).map_err(io::Error::other)?;
    // SAFETY: pointer and length describe `address`; what is no socket is refused.
    Errno::result(unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut length) })?;
    Ok(c_int::from(address.ss_family))
}

/// `FD_CLOEXEC` of a number that may not be open at all.
pub(crate) fn closes_on_exec(fd: RawFd) -> io::Result<bool> {
    // SAFETY: has no preconditions; a number that is not open is refused.
    let flags = Errno::result(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
    Ok(flags & libc::FD_CLOEXEC != 0)
}

/// Sets or clears `FD_CLOEXEC`.
pub(crate) fn set_close_on_exec(fd: RawFd, on: bool) -> nix::Result<()> {
    let flags = if on { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: has no preconditions; a number that is not open is refused.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFD, flags) })?;
    Ok(())
}

/// Takes possession of a descriptor that exec handed on.
///
/// The caller has checked that it is one of these, still open and not taken before: nothing in the process owns it.
pub(crate) fn take(fd: RawFd) -> OwnedFd {
    // SAFETY: open, and without an owner, as the caller checked.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// dup2(2) that leaves the new descriptor open for programs that are exec'ed.
///
/// dup2(2) clears `FD_CLOEXEC` on the copy, but does nothing at all where both numbers are the same.
pub(crate) fn duplicate_onto(source: BorrowedFd<'_>, target: RawFd) -> nix::Result<()> {
    if source.as_raw_fd() == target {
        return set_close_on_exec(target, false);
    }
    loop {
        // SAFETY: the targets are 0, 1 and 2, which no one owns: they are replaced, never closed.
        match Errno::result(unsafe { libc::dup2(source.as_raw_fd(), target) }) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR | Errno::EBUSY) => {} // EBUSY: a race with open(2), dup2(2)
            Err(error) => return Err(error),
        }
    }
}

/// writev(2): both at once, so that no other line comes between.
pub(crate) fn write_at_once(fd: RawFd, parts: [&[u8]; 2]) -> nix::Result<()> {
    let parts = parts.map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
    // SAFETY: pointers and lengths describe `parts`, which are only read; a number that is not open is refused.
    Errno::result(unsafe { libc::writev(fd, parts.as_ptr(), 2) })?;
    Ok(())
}

/// 32 bits of each set.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct CapabilityWord {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The sets of capabilities of this process, capabilities(7).
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Debug)]
pub(crate) struct Capabilities([CapabilityWord; 2]);

#[cfg(any(target_os = "linux", target_os = "android"))]
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: c_int,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl CapabilityHeader {
    /// Version 3 has 64 capabilities, in two words; process 0 is the caller, capget(2).
    const OWN: Self = Self { version: 0x2008_0522, pid: 0 };
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Capabilities {
    /// Whether the capability of that number is in effect.
    pub(crate) fn has(&self, capability: u32) -> bool {
        self.0[0].effective & (1 << capability) != 0
    }

    pub(crate) fn are_empty(&self) -> bool {
        self.0 == [CapabilityWord::default(); 2]
    }
}

/// capget(2).
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn capabilities() -> io::Result<Capabilities> {
    let mut header = CapabilityHeader::OWN;
    let mut words = [CapabilityWord::default(); 2];
    // SAFETY: this version of the header asks for two words.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, words.as_mut_ptr()) })?;
    Ok(Capabilities(words))
}

/// capset(2) to no capability at all: permitted, effective, inheritable, and with these the ambient ones.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn clear_capabilities() -> io::Result<()> {
    let mut header = CapabilityHeader::OWN;
    let words = [CapabilityWord::default(); 2];
    // SAFETY: this version of the header announces two words.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, words.as_ptr()) })?;
    Ok(())
}

/// getgrouplist(3), whose groups are of type int there.
#[cfg(target_vendor = "apple")]
#[allow(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "the same 32 bits under another type")]
pub(crate) fn groups_of(user: &CStr, gid: Gid) -> nix::Result<Vec<Gid>> {
    let mut groups: Vec<c_int> = vec![0; 64];
    loop {
        let mut count = c_int::try_from(groups.len()).map_err(|_| Errno::E2BIG)?;
        // SAFETY: pointer and count describe `groups`, and `user` ends with a NUL byte.
        let done =
            unsafe { libc::getgrouplist(user.as_ptr(), gid.as_raw() as c_int, groups.as_mut_ptr(), &raw mut count) };
        if done == 0 {
            groups.truncate(usize::try_from(count).unwrap_or(0));
            return Ok(groups.into_iter().map(|group| Gid::from_raw(group as libc::gid_t)).collect());
        }
        groups.resize(groups.len() * 2, 0);
    }
}

/// getgroups(2).
#[cfg(target_vendor = "apple")]
pub(crate) fn own_groups() -> nix::Result<Vec<Gid>> {
    // SAFETY: a count of 0 asks for the number of groups and writes none.
    let count = Errno::result(unsafe { libc::getgroups(0, ptr::null_mut()) })?;
    let mut groups: Vec<libc::gid_t> = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: pointer and count describe `groups`.
    let count = Errno::result(unsafe { libc::getgroups(count, groups.as_mut_ptr()) })?;
    groups.truncate(usize::try_from(count).unwrap_or(0));
    Ok(groups.into_iter().map(Gid::from_raw).collect())
}

/// setgroups(2), after which the directory service adds no groups of its own there.
#[cfg(target_vendor = "apple")]
pub(crate) fn set_groups(groups: &[Gid]) -> nix::Result<()> {
    let groups: Vec<libc::gid_t> = groups.iter().map(|group| group.as_raw()).collect();
    let count = c_int::try_from(groups.len()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: pointer and count describe `groups`.
    Errno::result(unsafe { libc::setgroups(count, groups.as_ptr()) })?;
    Ok(())
}

/// The signals that are ignored now, real-time ones too.
pub(crate) fn ignored_signals() -> Vec<c_int> {
    (1..=LAST_SIGNAL)
        .filter(|&signal| action(signal).is_some_and(|action| action.sa_sigaction == libc::SIG_IGN))
        .collect()
}

/// Gives a signal its default action back if it is ignored.
pub(crate) fn stop_ignoring(signal: c_int) {
    if action(signal).is_some_and(|action| action.sa_sigaction == libc::SIG_IGN) {
        set_action(signal, &action_of(libc::SIG_DFL));
    }
}

/// Gives a signal its default action.
pub(crate) fn set_default(signal: c_int) {
    set_action(signal, &action_of(libc::SIG_DFL));
}

/// Whether nothing but the default action is there for a signal.
pub(crate) fn has_default(signal: c_int) -> bool {
    action(signal).is_some_and(|action| action.sa_sigaction == libc::SIG_DFL)
}

/// What a signal does, to be put back later.
pub(crate) struct Action {
    signal: c_int,
    action: Option<libc::sigaction>,
}

/// Gives a signal its default action, and returns the one that it had.
pub(crate) fn default_action(signal: c_int) -> Action {
    let before = Action { signal, action: action(signal) };
    set_action(signal, &action_of(libc::SIG_DFL));
    before
}

/// Ignores a signal, and returns the action that it had.
pub(crate) fn ignore(signal: c_int) -> Action {
    let before = Action { signal, action: action(signal) };
    set_action(signal, &action_of(libc::SIG_IGN));
    before
}

impl Action {
    pub(crate) fn restore(self) {
        if let Some(action) = self.action {
            set_action(self.signal, &action);
        }
    }
}

/// Lets a signal interrupt a wait, and do nothing else.
pub(crate) fn let_interrupt(signal: c_int) {
    extern "C" fn nothing(_: c_int) {}
    let handler: extern "C" fn(c_int) = nothing;
    set_action(signal, &action_of(handler as libc::sighandler_t));
}

fn action(signal: c_int) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::uninit();
    // SAFETY: a null new action only asks; the old one is written where the call succeeds.
    unsafe { (libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) == 0).then(|| action.assume_init()) }
}

fn action_of(handler: libc::sighandler_t) -> libc::sigaction {
    // SAFETY: all zeroes is a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler;
    action
}

/// The numbers come from a successful query or are constants: it cannot fail but for SIGKILL and SIGSTOP.
fn set_action(signal: c_int, action: &libc::sigaction) {
    // SAFETY: the handlers set here are the system's, those that the program had itself, and one that does nothing.
    unsafe { libc::sigaction(signal, action, ptr::null_mut()) };
}
