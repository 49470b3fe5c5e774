//! What a single token is, and how a message shows it.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

pub(crate) fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

pub(crate) fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

pub(crate) fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}

/// The name `no-new-privs`, which begins with `first`, and the number of tokens that it takes of those after `first`.
pub(crate) fn hyphenated(first: &Ident, after: &[TokenTree]) -> (String, usize) {
    let mut name = first.to_string();
    let mut len = 0;
    while let [hyphen, TokenTree::Ident(word), ..] = &after[len..] {
        if !is_punct(hyphen, '-') {
            break;
        }
        name = format!("{name}-{word}");
        len += 2;
    }
    (name, len)
}

/// The token as a message shows it. A group is shown by its opening bracket.
pub(crate) fn shown(token: &TokenTree) -> String {
    match token {
        TokenTree::Group(group) => match group.delimiter() {
            Delimiter::Parenthesis => "(".to_owned(),
            Delimiter::Bracket => "[".to_owned(),
            Delimiter::Brace => "{".to_owned(),
            Delimiter::None => group.to_string(),
        },
        token => token.to_string(),
    }
}

/// The tokens without the invisible group in which a `macro_rules` macro passes on `$value:expr` or `$item:item`.
pub(crate) fn unwrapped(tokens: TokenStream) -> TokenStream {
    let mut trees = tokens.clone().into_iter();
    match (trees.next(), trees.next()) {
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::None => unwrapped(group.stream()),
        _ => tokens,
    }
}
