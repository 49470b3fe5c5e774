//! Keys that the kernel keeps for processes, keyrings(7).

use std::{io, ptr};

use nix::{
    errno::Errno,
    libc::{self, c_char, c_ulong},
};

/// `KEYCTL_JOIN_SESSION_KEYRING` of keyctl(2): gives this process a new, empty session keyring.
pub(crate) fn join_new_session_keyring() -> io::Result<()> {
    let operation = c_ulong::from(libc::KEYCTL_JOIN_SESSION_KEYRING);
    let no_name = ptr::null::<c_char>();
    // SAFETY: without a name nothing is read.
    Errno::result(unsafe { libc::syscall(libc::SYS_keyctl, operation, no_name) })?;
    Ok(())
}
