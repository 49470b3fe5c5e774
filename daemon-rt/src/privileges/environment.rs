//! What the environment tells of the user, as systemd sets it for `User=`, systemd.exec(5).

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use super::account::Account;
use crate::{sys, threads::SingleThread};

/// Root's `HOME` would have the program read and write in a directory that is not its own.
pub(super) fn follow(account: &Account, thread: &SingleThread) {
    if !account.user_is_given {
        return;
    }
    let login = account.login.as_ref();
    let name = login.map(|login| OsStr::from_bytes(login.name.to_bytes()));
    for (key, value) in [
        ("HOME", login.map(|login| login.home.as_os_str())),
        ("USER", name),
        ("LOGNAME", name),
        ("SHELL", login.map(|login| login.shell.as_os_str())),
    ] {
        sys::set_variable(key, value, thread); // of a number without an entry nothing is known: they are removed
    }
}
