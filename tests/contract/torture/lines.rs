//! The lines in the logs: none is lost or torn, and they say the same as the launchers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use support::Launch;

use super::Round;

/// How a line ends that the program wrote.
const END: &str = " ..............................";

/// A process that is killed while it writes has written up to such a place.
const PAGE: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The number of the next line of each process.
    next: BTreeMap<i32, u64>,
    /// The launchers whose daemon was about to be ready, and those whose daemon heard that they know.
    begun: BTreeSet<i32>,
    ready: BTreeSet<i32>,
    notify: bool,
}

impl Round<'_> {
    /// All logs, the oldest first.
    pub(super) fn logs(&self) -> Vec<String> {
        let entries = fs::read_dir(self.stage.path("logs")).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_by_key(|name| match name.split_once('.') {
            Some(("old", number)) => number.parse::<i64>().unwrap_or_default(),
            Some((_, number)) => -number.parse::<i64>().unwrap_or_default(),
            None => i64::MAX,
        });
        names
    }

    /// What is in all of them.
    pub(super) fn log(&self) -> String {
        self.logs().into_iter().map(|name| self.stage.read(&format!("logs/{name}"))).collect()
    }
}

impl Lines {
    pub(super) fn read(round: &Round<'_>) -> Self {
        let mut lines = Self { notify: round.options.notify, ..Self::default() };
        for name in round.logs() {
            let text = fs::read_to_string(round.stage.path(&format!("logs/{name}"))).expect("a log");
            let mut start = 0;
            for line in text.split_inclusive('\n') {
                let end = start + line.len();
                let whole = whole_part(line, start);
                let whole = whole.unwrap_or_else(|| panic!("torn in {name} at {start}: {line:?}"));
                lines.note(whole, &name);
                start = end;
            }
        }
        lines
    }

    fn note(&mut self, line: &str, name: &str) {
        let Some((process, words)) = own_words(line) else { return };
        match words[..] {
            ["line", number] => {
                let next = self.next.entry(process).or_default();
                assert_eq!(number.parse(), Ok(*next), "missing or twice: {line:?} in {name}");
                *next += 1;
            }
            ["begins", "for", launcher] => self.begun.extend(launcher.parse::<i32>()),
            ["is", "ready", "for", launcher] => self.ready.extend(launcher.parse::<i32>()),
            _ => panic!("{line:?} in {name}"),
        }
        self.next.entry(process).or_default();
    }

    pub(super) fn processes(&self) -> impl Iterator<Item = i32> {
        self.next.keys().copied()
    }

    /// A launcher exits with 0 if and only if its daemon was ready.
    pub(super) fn agree_with(&self, launches: &[(i32, Launch)], victims: &BTreeSet<i32>) {
        for (launcher, launch) in launches {
            let (begun, ready) = (self.begun.contains(launcher), self.ready.contains(launcher));
            // Without `notify`, the daemon may be stopped before `main` has said anything.
            let is_true = begun || !self.notify;
            assert!(launch.status != 0 || is_true, "nobody was ready for launcher {launcher}: {launch:?}");
            let may_fail = !ready || victims.contains(launcher) || !self.notify;
            assert!(launch.status == 0 || may_fail, "launcher {launcher} knew of a daemon: {launch:?}");
        }
    }
}

/// The process and the words between that and the end.
fn own_words(line: &str) -> Option<(i32, Vec<&str>)> {
    let (process, words) = line.trim_end_matches('\n').strip_suffix(END)?.split_once(' ')?;
    Some((process.parse().ok()?, words.split(' ').collect()))
}

/// Also one of the launcher or the supervisor.
pub(super) fn is_whole(line: &str) -> bool {
    let is_of_library = ["probe: ", "client: ", "no luck", "Error: "].iter().any(|name| line.starts_with(name));
    let may_quote = line.contains(": cannot upgrade: "); // a log in which the daemon went on to write
    own_words(line).is_some() || is_of_library && (may_quote || !line.contains(END))
}

/// What is behind a part that was cut off at the end of a page, if there is one.
fn whole_part(line: &str, start: usize) -> Option<&str> {
    let page = (start / PAGE + 1) * PAGE - start;
    let rest = line.get(page..).filter(|rest| rest.is_empty() || is_whole(rest));
    if line.ends_with('\n') && is_whole(line) { Some(line) } else { rest }
}
