//! The auditor on ours, and on three that it has to find fault with.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use nix::unistd::Uid;
use support::skip;

const AUDIT: &str = env!("CARGO_BIN_EXE_audit");
const PLAIN: &str = env!("CARGO_BIN_EXE_plain");

const SOURCES: &str = env!("CARGO_MANIFEST_DIR");

/// Built of the package `tests`, together with what the auditor starts beside it.
static PROBE: LazyLock<PathBuf> = LazyLock::new(|| {
    let mut cargo = Command::new(env!("CARGO"));
    let build = ["build", "--quiet", "--workspace", "--bins", "--examples"]; // as `cargo test --workspace` does
    assert!(cargo.args(build).current_dir(SOURCES).status().expect("start cargo").success(), "the probe is not built");
    Path::new(AUDIT).with_file_name("probe")
});

const CRITERIA: usize = 73;

/// The criteria that an ordinary user cannot look at.
const OF_ROOT: [&str; 7] = ["4a", "12i", "13a", "13b", "13c", "N1", "N2"];

/// What an auditor says of a command, by criterion.
struct Report(Output);

impl Report {
    fn of(command: &[&str]) -> Self {
        LazyLock::force(&PROBE);
        Self(Command::new(AUDIT).args(command).output().expect("start the auditor"))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    /// The criteria with that mark.
    fn marked(&self, mark: &str) -> Vec<String> {
        let prefix = format!("{mark}: ");
        let text = self.text();
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.filter(|(_, rest)| rest.starts_with(&prefix)).map(|(id, _)| id.to_owned()).collect()
    }

    /// Without those that only root sees, where nobody is.
    fn assert_marked(&self, mark: &str, ids: &[&str]) {
        let is_seen = |id: &&str| Uid::effective().is_root() || !OF_ROOT.contains(id);
        let expected: Vec<_> = ids.iter().copied().filter(is_seen).collect();
        assert_eq!(self.marked(mark), expected, "{mark}: {}", self.text());
    }
}

#[test]
fn ours_meets_what_it_says() {
    let report = Report::of(&[PROBE.to_str().expect("a path in UTF-8")]);
    report.assert_marked("not met", &["12i", "O1", "O4"]);
    let of_root: &[&str] = if Uid::effective().is_root() { &[] } else { &OF_ROOT };
    assert_eq!(report.marked("not applicable"), [of_root, &["O2", "O3"]].concat(), "{}", report.text());
    assert_eq!(report.0.status.code(), Some(1));
    assert_eq!(report.text().lines().count(), CRITERIA);
}

#[test]
fn a_program_in_the_background_is_no_daemon() {
    let report = Report::of(&["sh", &format!("{SOURCES}/background.sh"), PLAIN]);
    // Shells of their own accord do not ignore SIGCHLD, and give a program in the background no input; it is no
    // session's leader, has the streams of the launcher, speaks to systemd itself, and is no library's.
    report.assert_marked("met", &["2c", "5", "7", "9b", "15a", "C9", "N2", "O3"]);
    assert_eq!(report.0.status.code(), Some(1));
}

#[test]
fn daemon3_does_not_do_all() {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("daemon3");
    let source = format!("{SOURCES}/peers/daemon3.c");
    let Ok(compiled) = Command::new("cc").arg("-pthread").arg("-o").arg(&program).arg(source).status() else {
        return skip("cc");
    };
    assert!(compiled.success(), "cc fails");
    let report = Report::of(&[program.to_str().expect("a path in UTF-8")]);
    report.assert_marked("met", &["5", "6", "8", "9a", "9b", "11", "15a", "15b"]);
    let not_met = ["1", "2a", "2b", "2c", "3", "7", "10", "14a", "C7", "C8", "C9", "C10", "C12", "C13", "O1"];
    report.assert_marked("not met", &not_met);
}

#[test]
fn a_program_that_does_not_start_meets_nothing() {
    let report = Report::of(&["false"]);
    report.assert_marked("met", &[]);
    assert_eq!(report.marked("not met").len() + report.marked("not applicable").len(), CRITERIA, "{}", report.text());
    let of_root = if Uid::effective().is_root() { &[][..] } else { &OF_ROOT };
    assert_eq!(report.marked("not applicable"), of_root);
}
