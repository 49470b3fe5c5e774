//! The variables that describe the user. They are set as systemd does for `User=`, systemd.exec(5).

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use super::account::Account;
use crate::{sys, threads::SingleThread};

/// With root's `HOME`, the program would read and write in root's directory.
pub(super) fn set_variables(account: &Account, thread: &SingleThread) {
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
        sys::set_variable(key, value, thread); // for a number without an entry nothing is known, so they are removed
    }
}
