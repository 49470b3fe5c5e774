//! What is true for any tokens that the attribute is given: it expands, `main` stays, and every mistake is shown in its
//! place.

use std::{
    fmt,
    ops::Range,
    panic::{self, AssertUnwindSafe},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{Item, ItemFn};

use super::{
    mutation::{Mutator, cases},
    places::Places,
    seeds, whole_parser,
};
use crate::{expand::expand, tokens::is_word};

/// One use of the attribute. Each of its tokens has a span of its own.
struct Case {
    number: u64,
    options: TokenStream,
    item: TokenStream,
    /// Where the spans of the options and of the item are, in bytes.
    places: [Range<usize>; 2],
}

#[test]
fn whatever_the_tokens_main_stays_and_mistakes_have_a_place() {
    if seeds::are_missing("whatever_the_tokens_main_stays_and_mistakes_have_a_place") {
        return;
    }
    let uses = seeds::uses();
    assert!(uses.len() > 50, "only {} uses of the attribute are found", uses.len());
    let mut mutator = Mutator::new(&[Delimiter::Parenthesis, Delimiter::Bracket, Delimiter::Brace, Delimiter::None]);
    let mut places = Places::new();
    for number in cases() {
        mutator.seed(number);
        let mut tokens = mutator.one_of(&uses).clone();
        let other = mutator.one_of(&uses);
        mutator.mutate(&mut tokens.options, &other.options);
        mutator.mutate(&mut tokens.item, &other.item);
        let [(options, place), (item, other_place)] = places.give([tokens.options, tokens.item]);
        let case = Case { number, options, item, places: [place, other_place] };
        let expansion = panic::catch_unwind(AssertUnwindSafe(|| expand(case.options.clone(), case.item.clone())));
        let expansion = expansion.unwrap_or_else(|_| panic!("panic in {case}"));
        case.assert_errors_have_a_place(expansion.clone());
        case.assert_main_stays(&expansion);
    }
}

impl Case {
    fn assert_errors_have_a_place(&self, expansion: TokenStream) {
        let trees = Vec::from_iter(expansion);
        for error in trees.windows(3).filter(|trees| is_word(&trees[0], "compile_error")) {
            let [start, end] = [&error[0], &error[2]].map(|token| token.span().byte_range());
            let is_in =
                |place: &Range<usize>| place.start <= start.start && start.start <= end.start && end.end <= place.end;
            let is_in_input = self.places.iter().any(is_in);
            // An empty item has no place.
            assert!(is_in_input || self.item.is_empty(), "{} is at no place in {self}", error[2]);
        }
    }

    fn assert_main_stays(&self, expansion: &TokenStream) {
        if !has_main(&self.item) {
            return;
        }
        assert!(has_main(expansion), "no main in {self}: {expansion}");
        // The compiler gives nothing else to an attribute, except for what a `macro_rules` macro passes on, and methods.
        let is_function = syn::parse2::<ItemFn>(self.item.clone()).is_ok_and(|item| item.sig.receiver().is_none());
        if !is_function || has_invisible_group(&self.options) || has_invisible_group(&self.item) {
            return;
        }
        let head = "fn main () -> :: std :: process :: ExitCode {";
        assert!(expansion.to_string().contains(head), "no main in {self}: {expansion}");
        if whole_parser::options(&self.options).is_ok() {
            let file = syn::parse2::<syn::File>(expansion.clone());
            let file = file.unwrap_or_else(|error| panic!("{error} in {self}: {expansion}"));
            let mains = file.items.iter().filter(|item| match item {
                Item::Fn(item) => {
                    item.sig.ident == "main" && item.sig.asyncness.is_none() && item.sig.inputs.is_empty()
                }
                _ => false,
            });
            assert_eq!(mains.count(), 1, "{self}: {expansion}");
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "case {}: #[daemon({})] {}", self.number, self.options, self.item)
    }
}

fn has_main(tokens: &TokenStream) -> bool {
    let trees = Vec::from_iter(without_invisible_groups(tokens.clone()));
    trees.windows(2).any(|trees| is_word(&trees[0], "fn") && is_word(&trees[1], "main"))
}

fn has_invisible_group(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|tree| match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::None || has_invisible_group(&group.stream()),
        _ => false,
    })
}

fn without_invisible_groups(tokens: TokenStream) -> TokenStream {
    let contents = |tree| match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => without_invisible_groups(group.stream()),
        other => other.into(),
    };
    tokens.into_iter().flat_map(contents).collect()
}
