//! All short lists of tokens that can occur in options and items.

use super::expanded;

/// All lists of up to three of these, most of them nonsense.
fn lists(words: &[&str]) -> Vec<String> {
    let mut lists = vec![String::new()];
    for _ in 0..3 {
        let longer = lists.iter().flat_map(|list| words.iter().map(move |word| format!("{list} {word}")));
        lists = longer.chain([String::new()]).collect();
    }
    lists
}

#[test]
fn whatever_the_options_there_is_a_main() {
    let words = [
        ",", "=", "umask", "setup", "crate", "notify", "typo", "_", "self", "022", "\"\\0\"", "<", ">", "|", "->",
        "::", "'a", "as", "f()", "()", "{}", "#", "?", "0o7777", "for", "$crate", ";",
    ];
    for options in lists(&words) {
        let seen = expanded(&options, "fn main() { body() }");
        assert!(
            seen.contains("fn main () -> :: std :: process :: ExitCode { fn main () { body () }"),
            "{options}: {seen}"
        );
    }
}

#[test]
fn whatever_the_item_nothing_panics() {
    let words = [
        "#[a]",
        "#[daemon]",
        "#",
        "pub",
        "pub(crate)",
        "async",
        "unsafe",
        "extern \"C\"",
        "const",
        "fn",
        "fn main",
        "main",
        "()",
        "(a: A, b: B)",
        "(...)",
        "(a: A<B, C>,)",
        "<T>",
        "<",
        "-> T",
        "where",
        "{}",
        ";",
        "struct",
        "1",
    ];
    for item in lists(&words) {
        for options in ["", "setup = f"] {
            let seen = expanded(options, &item);
            assert!(seen.contains("compile_error") || seen.contains("fn main () -> :: std"), "{item}: {seen}");
        }
    }
}
