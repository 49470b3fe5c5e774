//! Changes the environment, environ(7). No other thread may read it meanwhile.

use std::{
    env,
    ffi::{CStr, OsStr, c_char},
    ops::Range,
    os::unix::ffi::OsStrExt,
    ptr,
};

#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::proc::Stat;
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

/// Removes all variables except for those with certain names. It also removes entries that are not variables, which
/// unsetenv(3) does not find.
///
/// clearenv(3) and setenv(3) would move what is kept away from where the kernel shows it, /proc/PID/environ, and
/// `env::remove_var` panics on an entry without a name.
pub(crate) fn retain_variables(is_kept: impl Fn(&OsStr) -> bool, _: &SingleThread) {
    // SAFETY: the environment is null or an array of C strings that ends with a null pointer, environ(7), and nobody
    // else reads or writes it: `SingleThread` is the evidence that there is no other thread. It is
    // written no further on than it was read.
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

/// Overwrites the strings that came from exec and are no longer variables: the kernel shows them in /proc/PID/environ
/// as long as the process lives, proc(5).
///
/// If somebody kept a pointer to one, it then points to an empty string. Memory that setenv(3) allocated is not
/// overwritten.
pub(crate) fn wipe_removed_variables(_: &SingleThread) {
    let Some(block) = given_by_exec() else { return };
    // SAFETY: what is overwritten lies in the block, which exec wrote at the end of the stack for this process to change.
    // Nobody else reads or writes it: `SingleThread` is the evidence that there is no other thread. No variable that is
    // left lies in what is overwritten.
    unsafe {
        let mut start = block.start;
        for kept in variables_in(&block) {
            wipe(start..kept.start);
            start = start.max(kept.end);
        }
        wipe(start..block.end);
    }
}

/// # Safety
///
/// The range is memory that may be written, and that nobody reads or writes meanwhile.
unsafe fn wipe(range: Range<usize>) {
    let start = ptr::with_exposed_provenance_mut::<u8>(range.start);
    // SAFETY: as the caller promises.
    unsafe { ptr::write_bytes(start, 0, range.len()) };
}

/// Where in that block variables lie, in order, without the NUL bytes at their ends.
///
/// # Safety
///
/// Nobody writes the environment meanwhile.
unsafe fn variables_in(block: &Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // SAFETY: the environment is null or an array of C strings that ends with a null pointer, environ(7), and nobody
    // writes it, as the caller promises.
    unsafe {
        let mut variable = *environment();
        while !variable.is_null() && !(*variable).is_null() {
            let start = (*variable).expose_provenance();
            if block.contains(&start) {
                found.push(start..start + CStr::from_ptr(*variable).count_bytes());
            }
            variable = variable.add(1);
        }
    }
    found.sort_unstable_by_key(|range| range.start);
    found
}

/// The block that the kernel shows as environ. None if it is not the block from exec, which lies at the end of the
/// stack, right after the arguments: a program can make the kernel show something else, `PR_SET_MM` of prctl(2).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn given_by_exec() -> Option<Range<usize>> {
    let seen = Stat::at("/proc/self".as_ref()).ok()?;
    let field = |number| usize::try_from(seen.number(number)?).ok();
    let (stack, arguments, start, end) = (field(28)?, field(49)?, field(50)?, field(51)?);
    (stack != 0 && stack < arguments && arguments == start && start <= end).then_some(start..end)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn given_by_exec() -> Option<Range<usize>> {
    None
}

#[cfg(target_vendor = "apple")]
fn environment() -> *mut *mut *const c_char {
    // SAFETY: has no preconditions, environ(7) of macOS: libraries cannot see the variable itself.
    unsafe { nix::libc::_NSGetEnviron().cast() }
}

#[cfg(not(target_vendor = "apple"))]
fn environment() -> *mut *mut *const c_char {
    unsafe extern "C" {
        static mut environ: *mut *const c_char;
    }
    &raw mut environ
}
