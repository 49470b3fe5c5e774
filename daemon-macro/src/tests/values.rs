//! Where a value ends, beside a parser that reads it.

use proc_macro2::{Delimiter, TokenStream};
use quote::quote;

use super::{
    VALUES,
    mutation::{Mutator, cases},
    whole_parser,
};
use crate::{errors::Errors, options::Options};

#[test]
fn a_value_ends_where_a_whole_parser_ends_it() {
    let values: Vec<TokenStream> = VALUES.iter().map(|value| value.parse().unwrap()).collect();
    let mut mutator = Mutator::new(&[Delimiter::Parenthesis, Delimiter::Bracket, Delimiter::Brace]);
    let mut compared = 0;
    for number in cases() {
        mutator.seed(number);
        let [one, two, three] = [(); 3].map(|()| mutator.one_of(&values));
        let mut options = Vec::from_iter(quote!(one = #one, two = #two, three = #three));
        let other = Vec::from_iter(mutator.one_of(&values).clone());
        mutator.mutate(&mut options, &other);
        let options = TokenStream::from_iter(options);
        let Ok(expected) = whole_parser::options(&options) else { continue };
        // To syn, `|| -> A + B {}` is a closure. It is none since edition 2021, where `dyn` is missing.
        let has_bare_trait_object = ["->", "+"].iter().all(|part| options.to_string().contains(part));
        // Known options are checked, and refused where they stand twice.
        let is_unknown = |key: &str| ["one", "two", "three", "a", "b"].contains(&key);
        if expected.iter().all(|(key, _)| is_unknown(key)) && !has_bare_trait_object {
            let found = Options::parse(options.clone(), &mut Errors::default()).unknown;
            let found: Vec<_> = found
                .iter()
                .map(|option| (option.key.to_string(), whole_parser::without_spaces(&option.value)))
                .collect();
            assert_eq!(found, expected, "case {number}: {options}");
            compared += 1;
        }
    }
    assert!(compared > cases().count() / 20, "only {compared} of {} are options", cases().count());
}
