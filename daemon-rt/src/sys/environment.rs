//! Changes of the environment, environ(7), which threads may not read meanwhile.

use std::{
    env,
    ffi::{CStr, OsStr, c_char},
    os::unix::ffi::OsStrExt,
    ptr,
};

use crate::threads::SingleThread;

/// Sets a variable, or removes it.
pub(crate) fn set_variable(key: &str, value: Option<&OsStr>, _: &SingleThread) {
    // SAFETY: nobody else reads or writes the environment: `SingleThread` is the evidence that there is no other
    // thread.
    unsafe {
        match value {
            Some(value) => env::set_var(key, value),
            None => env::remove_var(key),
        }
    }
}

/// Removes all variables but those with certain names. What has no form of a variable goes as well, which unsetenv(3)
/// does not find.
pub(crate) fn retain_variables(is_kept: impl Fn(&OsStr) -> bool, _: &SingleThread) {
    // SAFETY: the environment is null or an array of C strings that ends with a null pointer, environ(7), and nobody
    // else reads or writes it: `SingleThread` is the evidence that there is no other thread. What is written is nearer
    // to its beginning than what is read.
    unsafe {
        let mut from = *environment();
        let mut to = from;
        while !from.is_null() && !(*from).is_null() {
            let variable = CStr::from_ptr(*from).to_bytes();
            let length = variable.iter().position(|&byte| byte == b'=');
            if length.is_some_and(|length| is_kept(OsStr::from_bytes(&variable[..length]))) {
                *to = *from;
                to = to.add(1);
            }
            from = from.add(1);
        }
        if !to.is_null() {
            *to = ptr::null();
        }
    }
}

#[cfg(target_vendor = "apple")]
fn environment() -> *mut *mut *const c_char {
    // SAFETY: asks for nothing, environ(7) of macOS: libraries cannot see the variable itself.
    unsafe { nix::libc::_NSGetEnviron().cast() }
}

#[cfg(not(target_vendor = "apple"))]
fn environment() -> *mut *mut *const c_char {
    unsafe extern "C" {
        static mut environ: *mut *const c_char;
    }
    &raw mut environ
}
