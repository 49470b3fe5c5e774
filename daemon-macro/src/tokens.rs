//! Reading raw tokens: where a value ends and what a token looks like. What they mean is left for rustc to judge.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// Keywords after which an operand begins, so that `|` opens a closure there and `<` a qualified path.
const BEFORE_OPERAND: &[&str] = &[
    "as", "async", "break", "const", "dyn", "else", "for", "if", "impl", "in", "let", "match", "move", "mut", "ref",
    "return", "static", "unsafe", "while",
];

/// The number of trees that the expression at the head of `tokens` takes up.
///
/// It ends before the first comma that stands neither in generic arguments nor between a closure's bars, or before a
/// `key =` that no operator joins to it: a comma was forgotten there.
pub(crate) fn expression_len(tokens: &[TokenTree]) -> usize {
    let mut len = 0;
    let mut operand_next = true;
    let mut in_type = false;
    while let Some(token) = tokens.get(len) {
        let (before, rest) = tokens.split_at(len);
        let follows = |word: &str| before.last().is_some_and(|token| is_word(token, word));
        len += match token {
            TokenTree::Ident(_) if !operand_next && is_assigned(rest) => break,
            TokenTree::Ident(word) => {
                let word = word.to_string();
                in_type |= word == "as";
                operand_next = BEFORE_OPERAND.contains(&word.as_str());
                1
            }
            TokenTree::Literal(_) => {
                operand_next = false;
                1
            }
            TokenTree::Group(_) => {
                operand_next = false;
                in_type = false;
                1
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                ',' => break,
                // A pattern may begin with a bar.
                '|' if operand_next && !follows("let") && !follows("for") => closure_parameters_len(rest),
                '<' if operand_next || in_type && !before.last().is_some_and(|token| is_punct(token, '>')) => {
                    // `for<'a>` stands before the bars of a closure.
                    operand_next = follows("for");
                    generics_len(rest)
                }
                '-' if is_pair(rest, '>') => {
                    in_type = true;
                    operand_next = true;
                    2
                }
                '\'' => rest.len().min(2), // a lifetime or a label, which says nothing of what comes next
                '?' => {
                    operand_next = false;
                    1
                }
                operator => {
                    in_type &= operand_next || operator == ':';
                    operand_next = true;
                    // The second half of `||` opens no closure, that of `<<` no generic arguments.
                    1 + usize::from(is_pair(rest, operator))
                }
            },
        };
    }
    len
}

/// The length of the generic arguments that the `<` at the head of `tokens` opens; 1 where nothing closes them, as
/// after "less than".
pub(crate) fn generics_len(tokens: &[TokenTree]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        if is_pair(rest, '>') && is_punct(&rest[0], '-') {
            at += 2;
            continue;
        }
        at += 1;
        if is_punct(&rest[0], '<') {
            depth += 1;
        } else if is_punct(&rest[0], '>') {
            depth -= 1;
        }
        if depth == 0 {
            return at;
        }
    }
    1
}

/// The length of `|a, b|` or `||`.
fn closure_parameters_len(tokens: &[TokenTree]) -> usize {
    let closing = tokens.iter().skip(1).position(|token| is_punct(token, '|'));
    closing.map_or(tokens.len(), |inside| inside + 2)
}

/// Whether `tokens` begin with `word =`, and not with `word ==` or `word =>`.
fn is_assigned(tokens: &[TokenTree]) -> bool {
    let rest = &tokens[1..];
    rest.first().is_some_and(|next| is_punct(next, '=')) && !is_pair(rest, '=') && !is_pair(rest, '>')
}

/// Whether `tokens` begin with an operator of two characters, the second of which is `second`.
fn is_pair(tokens: &[TokenTree], second: char) -> bool {
    match tokens {
        [TokenTree::Punct(first), next, ..] => first.spacing() == Spacing::Joint && is_punct(next, second),
        _ => false,
    }
}

pub(crate) fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

pub(crate) fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

/// The token as a message shows it, a group by its opening bracket.
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
