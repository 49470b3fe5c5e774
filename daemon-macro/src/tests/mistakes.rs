//! What the attribute says about mistakes, and where.

use std::fs;

use proc_macro2::TokenTree;

use super::seeds;
use crate::expand::expand;

/// The mistakes of `tests/ui/fail`, without a compiler and so much faster: the same messages, in the same places.
#[test]
fn what_the_compiler_shows_is_said() {
    if seeds::are_missing("what_the_compiler_shows_is_said") {
        return;
    }
    let files = seeds::files("tests/ui/fail");
    assert!(files.len() > 50, "only {} files are found", files.len());
    // How tokio expands its `main` is not known here.
    for file in files.into_iter().filter(|file| !file.ends_with("runtime_above.rs")) {
        let shown = fs::read_to_string(file.with_extension("stderr")).unwrap();
        // The compiler's own errors have a number, or come from a token of the expansion.
        let is_compilers = ["error[E", "this error originates"].iter().any(|sign| shown.contains(sign));
        let expected = if is_compilers { Vec::new() } else { messages(&shown) };
        // The mistake is in the first use of the attribute. A second use is itself a mistake of the first.
        let said: Vec<_> = seeds::uses_in(&file).into_iter().take(1).flat_map(said).collect();
        assert_eq!(said, expected, "{}", file.display());
    }
}

/// Messages with line and column, as the compiler prints them: `error: message`, and on the next line ` -->
/// file:line:column`.
fn messages(shown: &str) -> Vec<(String, String)> {
    let lines: Vec<_> = shown.lines().collect();
    let message = |pair: &[&str]| {
        let (_, place) = pair[1].split_once(".rs:")?;
        Some((pair[0].strip_prefix("error: ")?.to_owned(), place.to_owned()))
    };
    lines.windows(2).filter_map(message).collect()
}

fn said(tokens: seeds::Use) -> Vec<(String, String)> {
    let expansion = expand(tokens.options.into_iter().collect(), tokens.item.into_iter().collect());
    let message = |trees: &[TokenTree]| match trees {
        [name, _, TokenTree::Group(message)] if name.to_string() == "compile_error" => {
            let text: syn::LitStr = syn::parse2(message.stream()).unwrap();
            let start = name.span().start();
            Some((text.value(), format!("{}:{}", start.line, start.column + 1)))
        }
        _ => None,
    };
    Vec::from_iter(expansion).windows(3).filter_map(message).collect()
}

/// The source text that each mistake underlines.
fn underlined(options: &str, item: &str) -> Vec<String> {
    let expansion = Vec::from_iter(expand(options.parse().unwrap(), item.parse().unwrap()));
    let errors = expansion.windows(3).filter(|trees| trees[0].to_string() == "compile_error");
    errors.map(|error| error[0].span().join(error[2].span()).unwrap().source_text().unwrap()).collect()
}

#[test]
fn mistakes_are_underlined_where_they_are() {
    for (options, item, expected) in [
        ("umask = 8, umask", "fn main() {}", &["8", "umask"][..]),
        ("start-timeout = 3, umask-", "fn main() {}", &["start-timeout", "-"]),
        ("(umask = 8), notify = 1", "fn main() {}", &["(umask = 8)"]),
        ("setup = f", "fn main(a: A, b: B, c: C) {}", &["b: B, c: C"]),
        ("setup = f", "fn main(a: A<B, fn(C) -> D, E>) {}", &[]),
        ("setup = f", "fn main(a: A, , b: B) {}", &[", b: B"]),
        ("", "fn main(a: A, , ...) {}", &["...", "a: A, ,"]),
        ("", "fn main(>) {}", &[">"]),
        ("setup = f", "fn main(&'a mut self, b: B) {}", &["self"]),
        ("setup = f", "fn main(mut self: Box<Self>);", &["self"]),
        ("setup = f", "fn main(self::A(a): A) {}", &[]),
        ("", "struct Server;", &["struct Server"]),
        ("", "a [b] fn main() {}", &["a"]),
        ("", "#(b) fn main() {}", &["#"]),
        ("", "(a) fn main() {}", &["(a)"]),
        ("", "pub {} fn main() {}", &["{}"]),
        ("", "fn main[] {}", &["main"]),
        ("", "fn main() []", &["main"]),
        ("", "#[a] pub", &["#[a] pub"]),
    ] {
        assert_eq!(underlined(options, item), expected, "#[daemon({options})] {item}");
    }
}
