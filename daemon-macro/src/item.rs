//! Reads the head of an item from left to right.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

use crate::attribute::Attribute;
use crate::expression::generics_len;
use crate::tokens::{is_group, is_punct, is_word, shown, unwrapped};

/// The tokens that are left to read. The body is one of them, and is never opened.
pub(crate) struct Item(Vec<TokenTree>);

impl Item {
    pub(crate) fn new(item: TokenStream) -> Self {
        Item(Vec::from_iter(unwrapped(item)))
    }

    pub(crate) fn attributes(&mut self) -> Vec<Attribute> {
        let mut attributes = Vec::new();
        while let [pound, TokenTree::Group(group), ..] = self.0.as_slice() {
            if !is_punct(pound, '#') || group.delimiter() != Delimiter::Bracket {
                break;
            }
            attributes.push(Attribute::new(pound.clone(), group.clone()));
            self.take(2);
        }
        attributes
    }

    pub(crate) fn visibility(&mut self) -> TokenStream {
        let len = match self.0.as_slice() {
            [word, scope, ..] if is_word(word, "pub") && is_group(scope, Delimiter::Parenthesis) => 2,
            [word, ..] if is_word(word, "pub") => 1,
            // `$visibility:vis` of a `macro_rules` macro.
            [group, ..] if is_group(group, Delimiter::None) => 1,
            _ => 0,
        };
        self.take(len)
    }

    /// The words between the visibility and `fn`, and the ABI.
    pub(crate) fn qualifiers(&mut self) -> Vec<TokenTree> {
        let qualifies = |token: &TokenTree| {
            let words = ["async", "const", "extern", "unsafe"];
            matches!(token, TokenTree::Literal(_)) || words.iter().any(|word| is_word(token, word))
        };
        let len = self.0.iter().take_while(|token| qualifies(token)).count();
        self.0.drain(..len).collect()
    }

    /// `fn main`. For anything else, its tokens and its name for the message.
    pub(crate) fn fn_main(&mut self) -> Result<Ident, (TokenStream, String)> {
        match self.0.as_slice() {
            [keyword, TokenTree::Ident(name), ..] if is_word(keyword, "fn") && name == "main" => {
                let name = name.clone();
                self.take(2);
                Ok(name)
            }
            [TokenTree::Ident(keyword), TokenTree::Ident(name), ..] => {
                let found = format!("`{keyword} {name}`");
                Err((self.take(2), found))
            }
            [token, ..] => {
                let found = format!("`{}`", shown(token));
                Err((self.take(1), found))
            }
            [] => Err((TokenStream::new(), "nothing".to_owned())),
        }
    }

    pub(crate) fn generics(&mut self) -> TokenStream {
        let len = match self.0.first() {
            Some(token) if is_punct(token, '<') => generics_len(&self.0),
            _ => 0,
        };
        self.take(len)
    }

    pub(crate) fn parameters(&mut self) -> Option<Group> {
        match self.0.first() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
                let group = group.clone();
                self.take(1);
                Some(group)
            }
            _ => None,
        }
    }

    /// The last group. It may come from `$body:block` of a `macro_rules` macro.
    pub(crate) fn body(&mut self) -> Option<TokenTree> {
        let is_body = |token: &TokenTree| is_group(token, Delimiter::Brace) || is_group(token, Delimiter::None);
        if self.0.last().is_some_and(is_body) { self.0.pop() } else { None }
    }

    /// The tokens between the parameters and the body.
    pub(crate) fn rest(self) -> Vec<TokenTree> {
        self.0
    }

    fn take(&mut self, len: usize) -> TokenStream {
        self.0.drain(..len).collect()
    }
}
