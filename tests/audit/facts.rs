//! What the libraries in Rust are made of.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use crate::{Failure, build, compared::locked_version, sources};

const PEERS: [&str; 5] = ["blivet", "daemonize", "daemonize2", "daemonizr", "fork"];

/// The lines of a program.
#[derive(Default)]
struct Lines {
    all: usize,
    with_unsafe: usize,
}

/// A row for each. Numbers are rounded, so that the page stays as it is when a line is added to ours.
pub(crate) fn table() -> Result<String, Failure> {
    let ours = sources().join("../..");
    let mut table =
        String::from("| | other packages | lines | lines with `unsafe` | oldest Rust |\n|---|--:|--:|--:|--:|");
    let mut row = |name: &str, manifest: &Path, roots: &[PathBuf], rust: Option<String>| -> Result<(), Failure> {
        let mut lines = Lines::default();
        for root in roots {
            lines.add_directory(&root.join("src"))?;
        }
        let Lines { all, with_unsafe } = lines;
        let packages = packages(name, manifest)? - roots.len();
        let rust = rust.unwrap_or_else(|| "–".into());
        let numbers = format!("{packages} | {} | {}", rounded(all), rounded(with_unsafe));
        write!(table, "\n| {name} | {numbers} | {rust} |")?;
        Ok(())
    };
    let manifest = ours.join("Cargo.toml");
    let roots = ["daemon-rt", "daemon-macro"].map(|name| ours.join(name));
    row("daemon-rt", &manifest, &roots, rust_version(&manifest)?)?;
    let manifest = sources().join("peers/Cargo.toml");
    let metadata = build::cargo_says(&manifest, &["metadata", "--format-version", "1"])?;
    for name in PEERS {
        let version = locked_version(&manifest.with_extension("lock"), name)?;
        let end = format!("/{name}-{version}/Cargo.toml\"");
        let (before, _) = metadata.split_once(&end).ok_or_else(|| format!("no {name} in the metadata"))?;
        let (_, place) = before.rsplit_once('"').ok_or("no path in the metadata")?;
        let root = Path::new(place).join(format!("{name}-{version}"));
        row(name, &manifest, std::slice::from_ref(&root), rust_version(&root.join("Cargo.toml"))?)?;
    }
    Ok(table)
}

/// With those that it needs, and those that build it.
fn packages(name: &str, manifest: &Path) -> Result<usize, Failure> {
    let tree = ["tree", "--package", name, "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let tree = build::cargo_says(manifest, &tree)?;
    Ok(tree.lines().map(|line| line.trim_end_matches(" (*)")).collect::<BTreeSet<_>>().len())
}

fn rust_version(manifest: &Path) -> Result<Option<String>, Failure> {
    let text = fs::read_to_string(manifest)?;
    let version = text.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
    Ok(version.map(str::to_owned))
}

impl Lines {
    fn add_directory(&mut self, directory: &Path) -> Result<(), Failure> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_name().to_string_lossy().contains("test") {
                continue;
            }
            if path.is_dir() {
                self.add_directory(&path)?;
            } else if path.extension() == Some(OsStr::new("rs")) {
                self.add(&fs::read_to_string(path)?);
            }
        }
        Ok(())
    }

    /// Those of a file, without comments, and without the tests at its end.
    fn add(&mut self, text: &str) {
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let is_module = |next: &&str| next.starts_with("mod ") && next.ends_with('{');
            if line == "#[cfg(test)]" && lines.peek().is_some_and(is_module) {
                break;
            }
            let line = line.trim_start();
            if line.is_empty() || line.starts_with("//") {
                continue;
            }
            self.all += 1;
            let is_unsafe =
                ["unsafe {", "unsafe fn", "unsafe extern", "unsafe impl"].iter().any(|form| line.contains(form));
            self.with_unsafe += usize::from(is_unsafe);
        }
    }
}

/// To its first digit.
fn rounded(number: usize) -> String {
    let unit = 10_usize.pow(number.max(1).ilog10());
    let rounded = (number + unit / 2) / unit * unit;
    if rounded < 1000 { rounded.to_string() } else { format!("{},{:03}", rounded / 1000, rounded % 1000) }
}
