//! Where an expression ends. It is not parsed, so syntax that no parser knows yet passes, too. The first comma outside
//! brackets ends it, unless that comma is in generic arguments or between the bars of a closure. A semicolon ends it as
//! well.

use proc_macro2::{Spacing, TokenTree};

use crate::tokens::{is_punct, is_word};

/// Keywords before an operand.
const BEFORE_OPERAND: &[&str] = &[
    "as", "async", "break", "const", "dyn", "else", "for", "if", "impl", "in", "let", "match", "move", "mut", "ref",
    "return", "static", "unsafe", "while",
];

/// The number of tokens in the expression at the head of `tokens`.
///
/// A `key =` that no operator joins to it also ends it: a comma was forgotten there.
pub(crate) fn expression_len(tokens: &[TokenTree]) -> usize {
    let mut len = 0;
    // Where an operand begins, `|` opens a closure and `<` a qualified path. After an operand, both are operators.
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
                '\'' => rest.len().min(2), // a lifetime or a label, which does not say what comes next
                // A pattern may begin with a bar.
                '|' if operand_next && !follows("let") && !follows("for") => closure_parameters_len(rest),
                // After the generic arguments of a type, `<` is "less than".
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
                    // After its name, only `::` continues a type.
                    in_type &= operand_next || operator == ':';
                    operand_next = operator != '?';
                    // The second half of `||` does not open a closure, and that of `<<` does not open generic
                    // arguments.
                    1 + usize::from(is_pair(rest, operator))
                }
            },
        };
    }
    len
}

/// The number of tokens in the function parameter at the head of `tokens`, with the comma after it.
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

/// The number of tokens in the generic arguments that the `<` at the head of `tokens` opens. If nothing closes them,
/// the `<` is "less than", and the number is 1.
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
