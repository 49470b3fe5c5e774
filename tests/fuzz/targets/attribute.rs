//! Any options on any item: the attribute gives code or a message, and neither panics nor hangs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proc_macro2::TokenStream;

#[path = "../../../daemon-macro/src/attribute.rs"]
mod attribute;
#[path = "../../../daemon-macro/src/checks.rs"]
mod checks;
#[path = "../../../daemon-macro/src/edit_distance.rs"]
mod edit_distance;
#[path = "../../../daemon-macro/src/errors.rs"]
mod errors;
#[path = "../../../daemon-macro/src/expand.rs"]
mod expand;
#[path = "../../../daemon-macro/src/expression.rs"]
mod expression;
#[path = "../../../daemon-macro/src/item.rs"]
mod item;
#[path = "../../../daemon-macro/src/keys.rs"]
mod keys;
#[path = "../../../daemon-macro/src/main_fn.rs"]
mod main_fn;
#[path = "../../../daemon-macro/src/options.rs"]
mod options;
#[path = "../../../daemon-macro/src/tokens.rs"]
mod tokens;

fuzz_target!(|texts: (&str, &str)| {
    let (options, item) = texts;
    let [Ok(options), Ok(item)] = [options, item].map(str::parse::<TokenStream>) else { return };
    let expanded = expand::expand(options, item).to_string();
    assert!(expanded.parse::<TokenStream>().is_ok(), "{expanded}");
});
