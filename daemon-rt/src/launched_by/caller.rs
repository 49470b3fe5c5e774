//! The user who started a program that has more rights than that user: a bit for set-user-ID or set-group-ID, or file
//! capabilities, gave it these, execve(2).

use nix::unistd::{getegid, geteuid, getgid, getuid};

/// Whether this process sees more of the file system than that user does. Root sees everything.
pub(super) fn sees_less() -> bool {
    !getuid().is_root() && ((getuid(), getgid()) != (geteuid(), getegid()) || may_see_everything())
}

/// By capabilities(7): `CAP_DAC_OVERRIDE`, `CAP_DAC_READ_SEARCH`, and `CAP_SETGID` and `CAP_SETUID`, with which it becomes
/// who may see.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn may_see_everything() -> bool {
    crate::sys::capabilities().map_or(true, |sets| [1, 2, 6, 7].into_iter().any(|capability| sets.permit(capability)))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn may_see_everything() -> bool {
    false
}
