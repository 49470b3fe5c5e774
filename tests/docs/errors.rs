//! The page of errors has every message that the libraries and the compiler give, and no other.

use std::{fs, path::Path};

use proc_macro2::{TokenStream, TokenTree};

/// Words in capitals stand for anything on the page, as braces do in the sources.
const PAGE: &str = include_str!("../../daemon-rt/src/docs/errors.md");

/// What a part of a message says: the text between the places for values.
type Said = Vec<String>;

#[test]
fn every_message_of_the_sources_is_on_the_page() {
    let page: Vec<_> = on_the_page().iter().flat_map(|message| parts(message)).collect();
    for message in in_the_sources() {
        for part in parts(&message).iter().map(|part| said_in_source(part)).filter(says_something) {
            assert!(page.iter().any(|on_page| contains(on_page, &part)), "not on the page: {message}");
        }
    }
}

#[test]
fn every_message_of_the_page_is_in_the_sources_or_the_compilers() {
    let sources = in_the_sources();
    let known: Vec<_> = sources.iter().flat_map(|message| parts(message)).map(|part| said_in_source(&part)).collect();
    let compilers = in_the_compilers_output();
    for message in on_the_page() {
        let said = said_on_page(&message);
        if compilers.iter().any(|output| contains(output, &said)) {
            continue;
        }
        for part in parts(&message).into_iter().filter(|part| says_something(&said_on_page(part))) {
            let is_known = known.iter().any(|known| says_something(known) && contains(&part, known));
            assert!(is_known, "said nowhere: {part:?} of {message}");
        }
    }
}

#[test]
fn every_message_of_the_compiler_is_on_the_page() {
    let page: Vec<_> = on_the_page().iter().map(|message| said_on_page(message)).collect();
    for message in in_the_compilers_output() {
        assert!(page.iter().any(|on_page| contains(&message, on_page)), "not on the page: {message}");
    }
}

/// The first cells of the tables.
fn on_the_page() -> Vec<String> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let messages: Vec<_> = rows.filter_map(|cell| cell.strip_prefix('`')).map(|cell| code(cell).to_owned()).collect();
    assert!(messages.len() > 100, "{messages:?}");
    messages
}

/// Without the backquotes around it.
fn code(cell: &str) -> &str {
    let cell = cell.strip_suffix('`').unwrap_or(cell);
    match cell.strip_prefix('`') {
        Some(cell) => cell.strip_suffix('`').unwrap_or(cell).trim(),
        None => cell,
    }
}

/// Every literal of the two libraries that may be a part of a message.
fn in_the_sources() -> Vec<String> {
    let mut literals = Vec::new();
    for library in ["daemon-macro", "daemon-rt"] {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(library).join("src");
        collect_from(&sources, &mut literals);
    }
    assert!(literals.len() > 100, "{literals:?}");
    literals
}

fn collect_from(directory: &Path, literals: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let gives_errors = !["tests", "random", "launched_by", "docs", "upgrades"].contains(&name);
        if gives_errors && path.is_dir() {
            collect_from(&path, literals);
        } else if gives_errors && path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).expect("a source");
            collect_literals(source.parse().expect("Rust"), literals);
        }
    }
}

/// Attributes, and with them comments, say nothing at run time.
fn collect_literals(tokens: TokenStream, literals: &mut Vec<String>) {
    let mut is_attribute = false;
    for token in tokens {
        match &token {
            TokenTree::Group(group) if !is_attribute => collect_literals(group.stream(), literals),
            TokenTree::Literal(literal) => {
                literals.extend(syn::parse_str(&literal.to_string()).ok().map(|text: syn::LitStr| text.value()));
            }
            _ => {}
        }
        is_attribute =
            matches!(&token, TokenTree::Punct(sign) if sign.as_char() == '#' || is_attribute && sign.as_char() == '!');
    }
}

/// The errors in the compiler's output on the programs of `ui/fail`.
fn in_the_compilers_output() -> Vec<String> {
    let outputs = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/fail")).expect("the programs");
    let mut messages = Vec::new();
    for path in outputs.map(|entry| entry.expect("an entry").path()) {
        if path.extension().is_some_and(|extension| extension == "stderr") {
            let output = fs::read_to_string(path).expect("an output");
            let errors = output.lines().filter(|line| line.starts_with("error"));
            messages.extend(errors.filter_map(|line| Some(line.split_once(": ")?.1.to_owned())));
        }
    }
    assert!(messages.len() > 50, "{messages:?}");
    messages
}

/// The step and its cause, which the sources put together.
fn parts(message: &str) -> Vec<String> {
    message.split(": ").map(str::to_owned).collect()
}

fn said_in_source(part: &str) -> Said {
    let mut said = Vec::new();
    for piece in part.split('{') {
        said.push(piece.split_once('}').map_or(piece, |(_, said)| said).to_owned());
    }
    said
}

fn said_on_page(part: &str) -> Said {
    let is_placeholder = |word: &&str| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_uppercase());
    let mut said = vec![part.to_owned()];
    for word in part.split(|letter: char| !letter.is_alphanumeric()).filter(is_placeholder) {
        let last = said.pop().unwrap_or_default();
        said.extend(last.splitn(2, word).map(str::to_owned));
    }
    said
}

/// Two words at least: `{option} is empty`.
fn says_something(said: &Said) -> bool {
    said.concat().split_whitespace().filter(|word| word.chars().any(char::is_lowercase)).count() > 1
}

/// Whether the pieces stand in the text in their order.
fn contains(text: &str, said: &Said) -> bool {
    let mut rest = text;
    said.iter().all(|piece| match rest.split_once(piece.as_str()) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}
