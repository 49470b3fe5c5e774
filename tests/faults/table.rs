//! What came of every case: `call × occurrence × error → outcome`.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use super::{
    case::{Case, Fault},
    judge::Outcome,
};

/// In the order of the calls.
pub(crate) struct Table<'case>(pub(crate) BTreeMap<usize, Row<'case>>);

pub(crate) struct Row<'case> {
    pub(crate) case: &'case Case,
    pub(crate) outcome: Result<Outcome, String>,
    pub(crate) time: Duration,
}

impl Table<'_> {
    /// Prints it, for `--nocapture`, and keeps it beside the tests' other files. The sum goes past the capture.
    pub(crate) fn show(&self, scene: &str) {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults {scene}.txt"));
        fs::write(&path, self.to_string()).expect("write the table");
        println!("{scene}\n{self}");
        let mut counts = BTreeMap::<_, usize>::new();
        for row in self.0.values() {
            *counts.entry(row.kind()).or_default() += 1;
        }
        let counts: Vec<_> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let sum = format!("{scene}: {} cases: {}; {}\n", self.0.len(), counts.join(", "), path.display());
        let _ = io::stderr().write_all(sum.as_bytes());
    }

    /// What must not be.
    pub(crate) fn wrong(&self) -> String {
        let rows = self.0.values().filter(|row| row.outcome.is_err());
        rows.map(ToString::to_string).collect()
    }

    /// How many calls were not made when they were to fail. Of who is to be killed, some have left before.
    pub(crate) fn unreached(&self) -> usize {
        let is_unreached = |row: &&Row| row.outcome == Ok(Outcome::Unreached);
        self.0.values().filter(|row| !matches!(row.case.fault, Fault::Kill(_))).filter(is_unreached).count()
    }
}

impl Row<'_> {
    fn kind(&self) -> &'static str {
        match &self.outcome {
            Ok(Outcome::Whole | Outcome::WholeBut(_)) => "whole",
            Ok(Outcome::Refused(_)) => "refused",
            Ok(Outcome::Ended | Outcome::WasReady) => "killed",
            Ok(Outcome::Unreached) => "not reached",
            Err(_) => "wrong",
        }
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.values().try_for_each(|row| row.fmt(formatter))
    }
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {:>6} ms  ", self.case, self.time.as_millis())?;
        match &self.outcome {
            Ok(outcome) => writeln!(formatter, "{outcome}"),
            Err(wrong) => writeln!(formatter, "WRONG: {wrong}"),
        }
    }
}
