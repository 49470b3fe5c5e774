//! The user and group database, getpwnam(3) and getgrnam(3). nix refuses entries of more than a megabyte, and expects
//! names in UTF-8.

use std::{
    ffi::{CStr, CString, OsStr, OsString, c_char},
    io,
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt,
    ptr,
};

use nix::{
    errno::Errno,
    libc::{self, c_int, size_t},
    unistd::{Gid, Uid},
};

/// Enough for most entries. It is doubled until it suffices.
const SIZE: usize = 4096;

/// If a system asks for more than this, something is wrong.
const LIMIT: usize = 1 << 30;

/// An entry of the user database.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: CString,
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    pub(crate) home: OsString,
    pub(crate) shell: OsString,
}

pub(crate) fn user_named(name: &CStr) -> io::Result<Option<User>> {
    // SAFETY: all are valid as long as the call takes, and the length is that of the buffer.
    find_user(|entry, buffer, length, found| unsafe { libc::getpwnam_r(name.as_ptr(), entry, buffer, length, found) })
}

pub(crate) fn user(uid: Uid) -> io::Result<Option<User>> {
    // SAFETY: as above.
    find_user(|entry, buffer, length, found| unsafe { libc::getpwuid_r(uid.as_raw(), entry, buffer, length, found) })
}

pub(crate) fn group_named(name: &CStr) -> io::Result<Option<Gid>> {
    // SAFETY: as above.
    find_group(|entry, buffer, length, found| unsafe { libc::getgrnam_r(name.as_ptr(), entry, buffer, length, found) })
}

pub(crate) fn group(gid: Gid) -> io::Result<Option<Gid>> {
    // SAFETY: as above.
    find_group(|entry, buffer, length, found| unsafe { libc::getgrgid_r(gid.as_raw(), entry, buffer, length, found) })
}

fn find_user(
    ask: impl Fn(*mut libc::passwd, *mut c_char, size_t, *mut *mut libc::passwd) -> c_int,
) -> io::Result<Option<User>> {
    find(ask, |entry| User {
        // SAFETY: these three are strings in the buffer, which is there as long as this takes, or null.
        name: unsafe { text(entry.pw_name) }.to_owned(),
        uid: Uid::from_raw(entry.pw_uid),
        gid: Gid::from_raw(entry.pw_gid),
        // SAFETY: see the name.
        home: OsStr::from_bytes(unsafe { text(entry.pw_dir) }.to_bytes()).to_owned(),
        // SAFETY: see the name.
        shell: OsStr::from_bytes(unsafe { text(entry.pw_shell) }.to_bytes()).to_owned(),
    })
}

fn find_group(
    ask: impl Fn(*mut libc::group, *mut c_char, size_t, *mut *mut libc::group) -> c_int,
) -> io::Result<Option<Gid>> {
    find(ask, |entry| Gid::from_raw(entry.gr_gid))
}

/// Tries larger and larger buffers, and reads the entry while the buffer exists.
fn find<E, T>(
    ask: impl Fn(*mut E, *mut c_char, size_t, *mut *mut E) -> c_int,
    read: impl FnOnce(&E) -> T,
) -> io::Result<Option<T>> {
    let mut buffer: Vec<c_char> = Vec::new();
    let mut size = SIZE;
    loop {
        buffer.try_reserve_exact(size)?;
        let mut entry = MaybeUninit::<E>::zeroed();
        let mut found = ptr::null_mut();
        match ask(entry.as_mut_ptr(), buffer.as_mut_ptr(), size, &raw mut found) {
            // SAFETY: null, or a pointer to the entry, which has been written.
            0 => return Ok(unsafe { found.as_ref() }.map(read)),
            libc::EINTR => {}
            libc::ERANGE if size < LIMIT => size *= 2,
            error => return Err(Errno::from_raw(error).into()),
        }
    }
}

/// # Safety
///
/// `string` is null, as on some systems if an entry lacks it, or lives as long as the result.
unsafe fn text<'entry>(string: *const c_char) -> &'entry CStr {
    // SAFETY: as the caller promises.
    if string.is_null() { c"" } else { unsafe { CStr::from_ptr(string) } }
}
