//! Where an expression ends, compared with rustc's rules and with a whole parser.

use proc_macro2::{Delimiter, TokenStream};
use quote::quote;

use super::{
    expanded,
    mutation::{Mutator, cases},
    normal, whole_parser,
};
use crate::{errors::Errors, options::Options};

/// Values that contain what could be taken for their end.
const VALUES: &[&str] = &[
    "0o022",
    "[3, 4]",
    "f::<A, B>(1, 2)",
    "f::<A, B, fn(C) -> D, E>(1, 2)",
    "f::<A, Vec<B>, { 1 > 2 }>(1, 2)",
    "f::<A, B> | a",
    "f::<fn(A) -> B, C>",
    "|a, b| a + b",
    "move |a, b: Vec<A, B>| -> Vec<A, B> { a }",
    "async move |a, b| a",
    "for<'a, 'b> |a: &'a A, b: &'b B| a",
    "|| f(1, 2)",
    "a || b",
    "a | b",
    "a < b",
    "a << 1 > b",
    "a < b && c > d",
    "a as Vec<A, B>",
    "a as &'static Vec<A, B>",
    "a as &'a &'b Vec<A, B>",
    "break 'a |b, c| b",
    "a as Vec<A, B> < b",
    "a as [A; 1] < b",
    "if a as A { 1 } else { 2 } < b",
    "f(1) < b",
    "a - b < c",
    "a as *const Vec<A, B>",
    "a as fn(A) -> Vec<A, B>",
    "a as u8 + b < c",
    "a as u8 == b",
    "<Vec<A, B> as T<C, D>>::f(1)",
    "a == <A as T<B, C>>::F",
    "if a < b { 1 } else { 2 }",
    "if let A::<B, C>::D(e) = f { 1 } else { 2 }",
    "if let | A | B = c { 1 } else { 2 }",
    "match a { B => 1, C => 2 }",
    "'a: loop { break 'a 1, 2 }",
    "return |a, b| a",
    "return? | a",
    "a?.b(|c, d| e)?",
    "a = b",
    "!a",
    "-1",
    "..|a, b| a",
    "S::<A, B> { c, d }",
    "vec![1, 2]",
    "unsafe { f(1, 2) }",
    "&raw const a",
];

#[test]
fn a_value_ends_at_the_comma_that_rustc_would_see() {
    // A `?` is refused, wherever its value ends.
    for value in VALUES.iter().filter(|value| !value.contains('?')) {
        let seen = expanded(&format!("stdin = {value}, chdir = a > b"), "fn main() {}");
        let expected = normal(&format!(".stdin({value}).chdir(a > b).run(main)"));
        assert!(seen.contains(&expected), "{value}: {seen}");
        assert!(!seen.contains("compile_error"), "{value}: {seen}");
    }
}

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
        // syn takes two things that Rust does not: a type `A + B` after `->` without `dyn`, and keywords as labels.
        let text = options.to_string();
        let has = |part| text.contains(part);
        let is_no_rust = has("->") && has("+") || has("'let") || has("'for");
        // Known options are checked, and refused if they are given twice.
        let is_unknown = |key: &str| ["one", "two", "three", "a", "b"].contains(&key);
        if expected.iter().all(|(key, _)| is_unknown(key)) && !is_no_rust {
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
