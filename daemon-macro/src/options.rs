//! The list of options: `key = value, key, …`.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::quote;

use crate::checks;
use crate::errors::Errors;
use crate::expression::expression_len;
use crate::keys;
use crate::tokens::{hyphenated, is_punct, shown, unwrapped};

/// A key and its value.
pub(crate) struct Setting {
    pub(crate) key: Ident,
    pub(crate) value: TokenStream,
}

/// The options of one use of the attribute. Those with a mistake are in the errors instead.
#[derive(Default)]
pub(crate) struct Options {
    /// The calls of methods of `Daemon`, in the order in which they are written.
    pub(crate) setters: Vec<Setting>,
    pub(crate) setup: Option<Setting>,
    /// The path of `daemon_rt`.
    pub(crate) runtime: Option<TokenStream>,
    pub(crate) unknown: Vec<Setting>,
    given: HashSet<&'static str>,
}

impl Options {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Options::default();
        options.read(Vec::from_iter(tokens), errors);
        options.refuse_pidfile_as_stream(errors);
        if !options.is_given("crate") {
            options.runtime = Some(quote!(::daemon_rt));
        }
        options
    }

    /// With a log in it, the pidfile would not hold a process id.
    fn refuse_pidfile_as_stream(&self, errors: &mut Errors) {
        let path = |name: &str| {
            let setting = self.setters.iter().find(|setting| setting.key == name)?;
            Some((checks::string(&setting.value)?, &setting.value))
        };
        let Some((pidfile, _)) = path("pidfile") else { return };
        for name in ["stdin", "stdout", "stderr"] {
            let Some((stream, at)) = path(name) else { continue };
            if stream == pidfile {
                errors.push(at, format_args!("`pidfile` and `{name}` are the same file, `{stream}`"));
            }
        }
    }

    /// Whether the option `name` is given, whatever its value.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.given.contains(name)
    }

    /// Reads the whole list. If something is not an option, reading goes on after the next comma.
    fn read(&mut self, mut tokens: Vec<TokenTree>, errors: &mut Errors) {
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Ident(key) => at += 1 + self.read_value(key, &tokens[at + 1..], errors),
                // `$option:meta` of a `macro_rules` macro.
                TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                    let option = group.stream();
                    tokens.splice(at..=at, option);
                    continue;
                }
                other => {
                    errors.push(other, format_args!("expected an option, found `{}`", shown(other)));
                    at += expression_len(&tokens[at..]);
                }
            }
            match tokens.get(at) {
                Some(comma) if is_punct(comma, ',') => at += 1,
                Some(other) => {
                    errors.push(other, format_args!("expected `,`, found `{}`", shown(other)));
                    at += usize::from(is_punct(other, ';'));
                }
                None => {}
            }
        }
    }

    /// Reads what follows `key`, at the head of `tokens`, and returns its length.
    fn read_value(&mut self, key: &Ident, tokens: &[TokenTree], errors: &mut Errors) -> usize {
        match tokens {
            [equals, tokens @ ..] if is_punct(equals, '=') => {
                let len = expression_len(tokens);
                let value = unwrapped(tokens[..len].iter().cloned().collect());
                self.add(key, Some(value).filter(|value| !value.is_empty()), errors);
                1 + len
            }
            [dash, TokenTree::Ident(_), ..] if is_punct(dash, '-') => {
                let (name, len) = hyphenated(key, tokens);
                let others = &tokens[..len];
                errors.push(quote!(#key #(#others)*), keys::unknown(&name));
                expression_len(tokens)
            }
            [other, ..] if !is_punct(other, ',') && !is_punct(other, ';') => {
                let found = shown(other);
                errors.push(other, format_args!("expected `=` or `,` after `{key}`, found `{found}`"));
                expression_len(tokens)
            }
            _ => {
                self.add(key, None, errors);
                0
            }
        }
    }

    fn add(&mut self, key: &Ident, value: Option<TokenStream>, errors: &mut Errors) {
        let Some(known) = keys::find(key) else {
            errors.push(key, keys::unknown(&key.to_string()));
            let value = value.unwrap_or_default();
            self.unknown.push(Setting { key: key.clone(), value });
            return;
        };
        let name = known.name;
        if !self.given.insert(name) {
            errors.push(key, format_args!("duplicate option `{name}`"));
            return;
        }
        let value = match value {
            Some(value) => value,
            None if known.is_flag => quote!(true),
            None => {
                let example = known.example;
                errors.push(key, format_args!("option `{name}` needs a value: `{name} = {example}`"));
                return;
            }
        };
        if let Err(message) = (known.check)(name, &value) {
            errors.push(&value, message);
            return;
        }
        match name {
            "setup" => self.setup = Some(Setting { key: key.clone(), value }),
            "crate" => self.runtime = Some(value),
            _ => match checks::question_mark(&value) {
                Some(mark) => errors.push(
                    mark,
                    format_args!(
                        "`?` in `{name}` has no function to return from: compute the value in `setup`, \
                         and call `daemon.{name}(value)` there"
                    ),
                ),
                None => self.setters.push(Setting { key: key.clone(), value }),
            },
        }
    }
}
