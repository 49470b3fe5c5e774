//! Where an expression ends. It is not parsed, so that syntax that no parser knows yet passes, too: the first comma
//! outside of brackets ends it, unless that comma stands in generic arguments or between the bars of a closure. So does
//! a semicolon.

use proc_macro2::{Spacing, TokenTree};

use crate::tokens::{is_punct, is_word};

/// Keywords before an operand.
const BEFORE_OPERAND: &[&str] = &[
    "as", "async", "break", "const", "dyn", "else", "for", "if", "impl", "in", "let", "match", "move", "mut", "ref",
    "return", "static", "unsafe", "while",
];

/// The number of tokens in the expression at the head of `tokens`.
///
/// A `key =` that no operator joins to it ends it as well: a comma was forgotten there.
pub(crate) fn expression_len(tokens: &[TokenTree]) -> usize {
    let mut len = 0;
    // Where an operand begins, `|` opens a closure and `<` a qualified path. Behind one, both are operators.
    let mut operand_next = true;
    // In a type, `<` opens generic arguments.
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
            TokenTree::Group(_) | TokenTree::Literal(_) => {
                in_type = false;
                operand_next = false;
                1
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                ',' | ';' => break,
                '\'' => rest.len().min(2), // a lifetime or a label, which says nothing of what comes next
                // A pattern may begin with a bar.
                '|' if operand_next && !follows("let") && !follows("for") => closure_parameters_len(rest),
                // Behind the generic arguments of a type, `<` is "less than".
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
                operator => {
                    // Only `::` continues a type behind its name.
                    in_type &= operand_next || operator == ':';
                    operand_next = operator != '?';
                    // The second half of `||` opens no closure, that of `<<` no generic arguments.
                    1 + usize::from(is_pair(rest, operator))
                }
            },
        };
    }
    len
}

/// The number of tokens in the parameter of a function at the head of `tokens`, with the comma behind it.
pub(crate) fn parameter_len(tokens: &[TokenTree]) -> usize {
    let mut len = 0;
    while let Some(token) = tokens.get(len) {
        len += match token {
            comma if is_punct(comma, ',') => return len + 1,
            less if is_punct(less, '<') => generics_len(&tokens[len..]),
            _ => 1,
        };
    }
    len
}

/// The number of tokens in the generic arguments that the `<` at the head of `tokens` opens. Where nothing closes them,
/// it is "less than": 1.
pub(crate) fn generics_len(tokens: &[TokenTree]) -> usize {
    let mut depth = 0_usize;
    let mut is_arrow = false;
    for (at, token) in tokens.iter().enumerate() {
        if is_punct(token, '<') {
            depth += 1;
        } else if is_punct(token, '>') && !is_arrow {
            depth -= 1;
        }
        if depth == 0 {
            return at + 1;
        }
        is_arrow = is_punct(token, '-') && is_pair(&tokens[at..], '>');
    }
    1
}

/// The number of tokens in `|a, b|` or `||`.
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
