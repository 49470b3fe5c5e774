//! Options as syn finds them: it parses whole expressions.

use proc_macro2::{Ident, TokenStream};
use quote::TokenStreamExt;
use syn::{
    Expr, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
};

/// Keys and values.
pub(super) fn options(tokens: &TokenStream) -> syn::Result<Vec<(String, String)>> {
    let parser = |input: ParseStream| Punctuated::<_, Token![,]>::parse_terminated_with(input, option);
    Ok(parser.parse2(tokens.clone())?.into_iter().collect())
}

fn option(input: ParseStream) -> syn::Result<(String, String)> {
    let key = Ident::parse_any(input)?.to_string();
    let value = match input.parse::<Option<Token![=]>>()? {
        Some(_) => expression(input)?,
        None => String::new(),
    };
    Ok((key, value))
}

/// The text of an expression as it was written, not as syn writes it.
fn expression(input: ParseStream) -> syn::Result<String> {
    let mut cursor = input.cursor();
    input.parse::<Expr>()?;
    let mut text = TokenStream::new();
    while cursor != input.cursor() {
        let Some((tree, rest)) = cursor.token_tree() else { break };
        text.append(tree);
        cursor = rest;
    }
    Ok(without_spaces(&text))
}

/// The lexer puts other spaces between tokens than those of tokens that were put together.
pub(super) fn without_spaces(tokens: &TokenStream) -> String {
    tokens.to_string().replace(char::is_whitespace, "")
}
