//! What exec made of this process.

/// Whether exec gave this process more rights than its caller has: by a set-user-ID or set-group-ID bit, by file
/// capabilities, or because a security module says so. `AT_SECURE`, getauxval(3).
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn exec_gave_privileges() -> bool {
    // SAFETY: has no preconditions.
    unsafe { nix::libc::getauxval(nix::libc::AT_SECURE) != 0 }
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

/// Whether this process has more rights than its caller, as far as its ids tell.
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
