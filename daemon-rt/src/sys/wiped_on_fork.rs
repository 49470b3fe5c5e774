//! Memory that a fork does not copy.

#[cfg(test)]
mod tests;

use std::{io, mem, ptr, sync::atomic::AtomicI32};

#[cfg(not(target_vendor = "apple"))]
use nix::errno::Errno;
use nix::libc::{self, c_void};

const SIZE: usize = mem::size_of::<AtomicI32>(); // the system rounds it up to a page

/// A word that is 0 at first, and 0 again in every process forked from this one. A child made with `CLONE_VM` shares
/// it. It is never freed.
///
/// It tells a process from its forked workers when the pid does not: both may be process 1, each in its own pid
/// namespace.
///
/// # Errors
///
/// `Unsupported` if the system has no such memory: Linux before 4.14, macOS, an emulator.
pub(crate) fn wiped_on_fork() -> io::Result<&'static AtomicI32> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
    // SAFETY: new memory, at an address that the system chooses.
    let page = unsafe { libc::mmap(ptr::null_mut(), SIZE, protection, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just mapped, with that size, and nothing is in it yet.
    if let Err(error) = unsafe { wipe_on_fork(page) } {
        // SAFETY: as above, and nobody has a reference into it.
        unsafe { libc::munmap(page, SIZE) };
        return Err(error);
    }
    // SAFETY: zeroes are a valid value, a page is aligned for any, and it is never unmapped.
    Ok(unsafe { AtomicI32::from_ptr(page.cast()) })
}

/// # Safety
///
/// `page` is a mapping of `SIZE` bytes, without anything in it that a child of this process would miss.
#[cfg(any(target_os = "linux", target_os = "android"))]
unsafe fn wipe_on_fork(page: *mut c_void) -> io::Result<()> {
    const NONE: libc::c_int = -1;
    // SAFETY: as the caller promises.
    let advise = |advice| Errno::result(unsafe { libc::madvise(page, SIZE, advice) });
    // An emulator such as qemu-user takes any advice, and may follow none.
    if advise(NONE).is_ok() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    match advise(libc::MADV_WIPEONFORK) {
        Err(Errno::EINVAL) => Err(io::ErrorKind::Unsupported.into()),
        done => Ok(done.map(drop)?),
    }
}

/// # Safety
///
/// `page` is a mapping of `SIZE` bytes, without anything in it that a child of this process would miss.
#[cfg(any(target_os = "freebsd", target_os = "netbsd", target_os = "openbsd"))]
unsafe fn wipe_on_fork(page: *mut c_void) -> io::Result<()> {
    #[cfg(target_os = "freebsd")]
    use libc::INHERIT_ZERO as ZERO;
    #[cfg(not(target_os = "freebsd"))]
    use libc::MAP_INHERIT_ZERO as ZERO;
    // SAFETY: as the caller promises.
    Errno::result(unsafe { libc::minherit(page, SIZE, ZERO) })?;
    Ok(())
}

/// # Safety
///
/// None: it does nothing.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
unsafe fn wipe_on_fork(_: *mut c_void) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
