//! The other attributes of the annotated function.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;

/// Attributes that go to the outer function. They apply to the inner one as well.
const OUTER: &[&str] = &["allow", "deny", "deprecated", "doc", "expect", "forbid", "warn"];

/// Attributes of the compiler and its tools. None of them starts an async runtime.
const COMPILERS_OWN: &[&str] = &[
    "clippy",
    "cold",
    "diagnostic",
    "export_name",
    "inline",
    "link_section",
    "must_use",
    "no_mangle",
    "rustfmt",
    "target_feature",
    "track_caller",
    "unsafe",
];

pub(crate) struct Attribute {
    /// The names in its path: `doc`; `tokio`, `main`.
    path: Vec<String>,
    tokens: TokenStream,
}

impl Attribute {
    pub(crate) fn new(pound: TokenTree, group: Group) -> Self {
        Attribute { path: path(group.stream()), tokens: TokenStream::from_iter([pound, TokenTree::Group(group)]) }
    }

    pub(crate) fn goes_outside(&self) -> bool {
        self.begins_with_one_of(OUTER)
    }

    /// Only rustc can tell what an attribute does once its name is resolved.
    pub(crate) fn may_start_runtime(&self) -> bool {
        !self.begins_with_one_of(OUTER) && !self.begins_with_one_of(COMPILERS_OWN)
    }

    pub(crate) fn is_daemon(&self) -> bool {
        self.path.last().is_some_and(|name| name == "daemon")
    }

    fn begins_with_one_of(&self, names: &[&str]) -> bool {
        self.path.first().is_some_and(|first| names.contains(&first.as_str()))
    }
}

impl ToTokens for Attribute {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.tokens.clone());
    }
}

fn path(attribute: TokenStream) -> Vec<String> {
    let mut names = Vec::new();
    for token in attribute {
        match token {
            TokenTree::Ident(name) => names.push(name.to_string()),
            TokenTree::Punct(colon) if colon.as_char() == ':' => {}
            // `$attribute:meta` or `$path:path` in a `macro_rules` macro.
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                return path(group.stream());
            }
            _ => break,
        }
    }
    names
}
