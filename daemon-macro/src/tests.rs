mod expansion;
mod expression;
mod mistakes;
mod mutation;
mod options;
mod places;
mod seeds;
mod short_lists;
mod whatever_the_tokens;
mod whole_parser;

use proc_macro2::TokenStream;

use crate::expand::expand;

/// The expansion as text. Spaces in `options` and `item` make no difference.
fn expanded(options: &str, item: &str) -> String {
    expand(options.parse().unwrap(), item.parse().unwrap()).to_string()
}

fn normal(tokens: &str) -> String {
    tokens.parse::<TokenStream>().unwrap().to_string()
}
