//! A daemon with a file that was opened before `main`.

#![allow(unsafe_code)]

use std::{fs::File, io::Write, sync::OnceLock};

static LOG: OnceLock<File> = OnceLock::new();

extern "C" fn open_log() {
    if let Ok(log) = File::options().append(true).create(true).open("early.log") {
        let _ = LOG.set(log);
    }
}

// SAFETY: the section holds pointers to functions that are called before `main`.
#[unsafe(link_section = ".init_array")]
#[used]
static CONSTRUCTOR: extern "C" fn() = open_log;

#[daemon_rt::daemon]
fn main() {
    if let Some(mut log) = LOG.get() {
        let _ = writeln!(log, "main");
    }
}
