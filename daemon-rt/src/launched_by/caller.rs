//! The user who started a program that has more rights than that user. It got them from a set-user-ID or set-group-ID
//! bit, or from file capabilities, execve(2).

use nix::unistd::{getegid, geteuid, getgid, getuid};

/// Whether this process sees more of the file system than that user does. Root sees everything.
pub(super) fn sees_less() -> bool {
    !getuid().is_root() && ((getuid(), getgid()) != (geteuid(), getegid()) || may_see_everything())
}

/// Whether it has one of these capabilities(7): `CAP_DAC_OVERRIDE`, `CAP_DAC_READ_SEARCH`, or `CAP_SETGID` or
/// `CAP_SETUID`, with which it could become somebody who may look.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn may_see_everything() -> bool {
    crate::sys::capabilities().map_or(true, |sets| [1, 2, 6, 7].into_iter().any(|capability| sets.permit(capability)))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn may_see_everything() -> bool {
    false
}
