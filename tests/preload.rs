//! Libraries that stand between a program and its system calls, built when they are needed.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use support::{is_built_with_glibc, is_dynamic, skip};

use crate::PROBE;

/// The library with that lie of programs/lies.c; none, and says so, where there is no compiler, or where the programs take
/// no such library.
pub(crate) fn library(lie: &str) -> Option<PathBuf> {
    // Each once: another test may have it loaded.
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    // It puts itself before functions that glibc alone has.
    let needs_glibc = lie == "HANDLER_ALLOCATES_NOTHING";
    if !is_dynamic(PROBE) || needs_glibc && !is_built_with_glibc(PROBE) {
        return None;
    }
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = built.get(lie) {
        return Some(library.clone());
    }
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{lie}.so"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/lies.c");
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(format!("-D{lie}")).arg(source).status();
    let Ok(status) = compiled else {
        skip("cc");
        return None;
    };
    assert!(status.success(), "cc fails for {lie}");
    built.insert(lie.to_owned(), library.clone());
    Some(library)
}
