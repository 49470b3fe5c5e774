//! What the service's tests share: the directory of its files, and what its README says to do with them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use support::Launch;

/// Where every manager finds the program.
pub(crate) const PROGRAM: &str = "/usr/local/libexec/service";

/// Where every manager has it listen.
pub(crate) const PORT: u16 = 8080;

/// What a row of the README's table says to do.
pub(crate) struct Commands {
    pub(crate) start: String,
    pub(crate) reload: String,
    pub(crate) stop: String,
}

/// The last three cells of the row of that manager.
pub(crate) fn commands(manager: &str) -> Commands {
    let readme = text("README.md");
    let row = readme.lines().find(|line| line.starts_with(&format!("| {manager} |"))).expect(manager);
    let mut cells = row.trim_end_matches(" |").rsplit(" | ").map(|cell| cell.trim_matches('`').to_owned());
    let mut cell = || cells.next().expect(row);
    let (stop, reload, start) = (cell(), cell(), cell());
    Commands { start, reload, stop }
}

/// One of the files beside the program.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/service").join(name)
}

pub(crate) fn text(name: &str) -> String {
    fs::read_to_string(file(name)).expect(name)
}

/// What a log of the service says, without times and levels.
pub(crate) fn events(log: &str) -> Vec<&str> {
    log.lines().filter_map(|line| Some(line.split_once(" service: ")?.1)).collect()
}

/// The first event of one that listens on its port for every address.
pub(crate) fn listening(launched_by: &str) -> String {
    format!("listening on 0.0.0.0:{PORT} launched_by=\"{launched_by}\"")
}

pub(crate) fn succeeds(launch: &Launch) {
    assert_eq!(launch.status, 0, "{launch:?}");
}
