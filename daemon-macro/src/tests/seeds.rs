//! Uses of the attribute to start from: those in this repository's examples and tests, including the mistakes.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::tokens::is_punct;

#[derive(Clone)]
pub(super) struct Use {
    pub(super) options: Vec<TokenTree>,
    pub(super) item: Vec<TokenTree>,
}

/// The package in a registry has only this directory, not the repository.
pub(super) fn are_missing(test: &str) -> bool {
    let are_missing = !directory("tests/ui").exists();
    if are_missing {
        let _ = writeln!(io::stderr(), "skipped: needs the repository: {test}"); // past a test's captured output
    }
    are_missing
}

pub(super) fn uses() -> Vec<Use> {
    ["examples", "tests/forms", "tests/ui"].into_iter().flat_map(files).flat_map(|file| uses_in(&file)).collect()
}

pub(super) fn uses_in(file: &Path) -> Vec<Use> {
    let mut uses = Vec::new();
    find_uses(fs::read_to_string(file).unwrap().parse().unwrap(), &mut uses);
    uses
}

/// The Rust files below a directory of the repository, sorted, because a directory has no order of its own.
pub(super) fn files(directory: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    find_files(&self::directory(directory), &mut files);
    files.sort();
    files
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn find_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// At any depth: some are in a `macro_rules` macro.
fn find_uses(tokens: TokenStream, uses: &mut Vec<Use>) {
    let trees = Vec::from_iter(tokens);
    for (at, tree) in trees.iter().enumerate() {
        let TokenTree::Group(group) = tree else { continue };
        if let Some(options) = options(group.stream()).filter(|_| at > 0 && is_punct(&trees[at - 1], '#')) {
            uses.push(Use { options: Vec::from_iter(options), item: item(&trees[at + 1..]) });
        }
        find_uses(group.stream(), uses);
    }
}

fn options(attribute: TokenStream) -> Option<TokenStream> {
    // One of the tests renames it to the second.
    let names_it = |tree: &TokenTree| ["daemon", "attribute"].contains(&tree.to_string().as_str());
    match Vec::from_iter(attribute).as_slice() {
        [.., name, TokenTree::Group(options)] if names_it(name) => Some(options.stream()),
        [.., name] if names_it(name) => Some(TokenStream::new()),
        _ => None,
    }
}

fn item(trees: &[TokenTree]) -> Vec<TokenTree> {
    let is_end = |tree: &TokenTree| match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => is_punct(other, ';'),
    };
    let len = trees.iter().position(is_end).map_or(trees.len(), |end| end + 1);
    trees[..len].to_vec()
}
