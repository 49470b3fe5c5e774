//! The mistakes of `tests/ui` without a compiler, and so within a blink: the same messages, in the same places.

use std::fs;

use proc_macro2::TokenTree;

use super::seeds;
use crate::expand::expand;

#[test]
fn mistakes() {
    let files = seeds::files("tests/ui");
    assert!(files.len() > 50, "only {} files are found", files.len());
    for file in files {
        let shown = fs::read_to_string(file.with_extension("stderr")).unwrap();
        // What else the compiler finds has a number, or comes from a token of the expansion.
        let is_compilers = ["error[E", "this error originates"].iter().any(|sign| shown.contains(sign));
        let expected = if is_compilers { Vec::new() } else { messages(&shown) };
        // A second use is the mistake of the first.
        let said: Vec<_> = seeds::uses_in(&file).into_iter().take(1).flat_map(said).collect();
        assert_eq!(said, expected, "{}", file.display());
    }
}

/// Messages with line and column, as the compiler prints them: `error: message`, and below it ` --> file:line:column`.
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
