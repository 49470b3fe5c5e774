//! What exec did to this process.

use std::path::Path;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::{
    ffi::{CStr, OsStr, c_char},
    os::unix::ffi::OsStrExt,
    ptr,
};

#[cfg(any(target_os = "linux", target_os = "android"))]
use nix::libc;

/// Whether exec gave this process more rights than its caller has: by a set-user-ID or set-group-ID bit, by file
/// capabilities, or because a security module says so. `AT_SECURE`, getauxval(3).
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn exec_gave_privileges() -> bool {
    // SAFETY: has no preconditions.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Whether exec gave this process more rights than its caller has, issetugid(2).
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
pub(crate) fn exec_gave_privileges() -> bool {
    // SAFETY: has no preconditions.
    unsafe { nix::libc::issetugid() != 0 }
}

/// Whether this process has more rights than its caller, as far as its ids show.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
pub(crate) fn exec_gave_privileges() -> bool {
    use nix::unistd::{getegid, geteuid, getgid, getuid};
    (getuid(), getgid()) != (geteuid(), getegid())
}

/// The path that execve(2) was given, which may be relative. `AT_EXECFN`, getauxval(3).
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn executed_path() -> Option<&'static Path> {
    // SAFETY: has no preconditions.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) };
    let path = ptr::with_exposed_provenance::<c_char>(usize::try_from(path).ok()?);
    if path.is_null() {
        return None;
    }
    // SAFETY: exec wrote a C string there, above the environment, where nobody writes.
    let path = unsafe { CStr::from_ptr(path) };
    Some(Path::new(OsStr::from_bytes(path.to_bytes())))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn executed_path() -> Option<&'static Path> {
    None
}
