//! The probe without the start of Rust's runtime, which would open the standard streams where they are closed.

#![no_main]
#![allow(unsafe_code)]

#[path = "probe.rs"]
mod probe;

/// # Safety
///
/// Called once, by the C runtime.
#[unsafe(no_mangle)]
extern "C" fn main() -> std::ffi::c_int {
    let _ = probe::main();
    0
}
