//! How the attribute expands, for programs that it understands and for those that it understands in part.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;

use super::{expanded, normal};
use crate::expand::expand;

#[test]
fn expansion() {
    let item =
        "#[doc = \"Serves.\"] #[tokio::main] pub async fn main(listener: TcpListener) -> Result<(), Error> { body() }";
    let seen = expanded("stdout = \"/var/log/httpd.log\", setup = bind, notify", item);
    let expected = normal(
        "#[doc = \"Serves.\"]
         pub fn main() -> ::std::process::ExitCode {
             #[tokio::main]
             async fn __daemon_main(listener: TcpListener) -> Result<(), Error> { body() }
             (&mut ::daemon_rt::Daemon::new())
                 .stdout(\"/var/log/httpd.log\")
                 .notify(true)
                 .run_with(bind, |__value| __daemon_main(__value))
         }",
    );
    assert_eq!(seen, expected);
}

#[test]
fn keys_lend_their_place_to_the_methods() {
    let options = "umask = 0o022,\n  chdir = \"/\",\n    setup = bind";
    let tokens = leaves(expand(options.parse().unwrap(), "fn main() {}".parse().unwrap()));
    for (method, line, columns) in [("umask", 1, 0..5), ("chdir", 2, 2..7), ("run_with", 3, 4..9)] {
        let token = tokens.iter().find(|token| token.to_string() == method).unwrap();
        let (start, end) = (token.span().start(), token.span().end());
        assert_eq!((start.line, end.line, start.column..end.column), (line, line, columns), "{method}");
    }
}

/// Every token that is not a group, at any depth.
fn leaves(tokens: TokenStream) -> Vec<TokenTree> {
    let flat = |token| match token {
        TokenTree::Group(group) => leaves(group.stream()),
        leaf => vec![leaf],
    };
    tokens.into_iter().flat_map(flat).collect()
}

/// The group in which a `macro_rules` macro passes something on.
fn passed_on(tokens: TokenStream) -> Group {
    Group::new(Delimiter::None, tokens)
}

#[test]
fn what_a_macro_passes_on_is_as_if_written() {
    let written = expand(
        quote!(umask = 0o022, umask, stdin = "null", crate = ::a::b),
        quote!(
            #[doc = "a"]
            #[a::daemon]
            #[b]
            pub fn main() -> u8 {
                c
            }
        ),
    );
    let [option, value, path] = [quote!(umask = 0o022, umask), quote!("null"), quote!(::a::b)].map(passed_on);
    let [doc, daemon, attribute] = [quote!(doc = "a"), quote!(a::daemon), quote!(b)].map(passed_on);
    let [visibility, ty, body] = [quote!(pub), quote!(u8), quote!({ c })].map(passed_on);
    let item = passed_on(quote!(#[#doc] #[#daemon] #[#attribute] #visibility fn main() -> #ty #body));
    let options = quote!(#option, stdin = #value, crate = #path);
    assert_eq!(expand(options, quote!(#item)).to_string(), written.to_string());
}

#[test]
fn visibilities() {
    for visibility in ["", "pub", "pub(crate)", "pub(in a::b)"] {
        let seen = expanded("", &format!("#[a] {visibility} fn main() {{}}"));
        assert!(seen.starts_with(&normal(&format!("{visibility} fn main() -> ::std"))), "{visibility}: {seen}");
    }
}

#[test]
fn attributes_that_are_no_daemon() {
    for attribute in ["daemon::a", "a = daemon", "a(daemon)"] {
        let seen = expanded("", &format!("#[{attribute}] fn main() {{}}"));
        assert!(!seen.contains("duplicate"), "{attribute}: {seen}");
    }
}

#[test]
fn what_cannot_run_is_not_run() {
    for (options, item) in [
        ("", "unsafe fn main() {}"),
        ("setup = f()", "fn main(a: A) {}"),
        ("setup", "fn main() {}"),
        ("crate = 1", "fn main() {}"),
    ] {
        let seen = expanded(options, item);
        assert!(!seen.contains(". run"), "{options} {item}: {seen}");
        assert!(seen.contains(":: std :: process :: ExitCode :: FAILURE"), "{options} {item}: {seen}");
    }
}

#[test]
fn what_is_half_typed_is_completed() {
    let seen = expanded("umas = 1, fn = 2, chdir = \"/\"", "fn main() {}");
    let expected = normal("#[cfg(rust_analyzer)] (&mut ::daemon_rt::Daemon::new()).umas(1);");
    assert!(seen.contains(&format!("{{ {expected} }}")), "{seen}");
    assert!(!expanded("chdir = \"/\"", "fn main() {}").contains("rust_analyzer"));
}

#[test]
fn the_body_is_not_read() {
    let body = "{ #![allow(unused)] let = ; fn fn <<< #[daemon] , => 022 ? }";
    let seen = expanded("", &format!("fn main() {body}"));
    assert!(seen.contains(&normal(&format!("fn main() {body}"))), "{seen}");
    assert!(!seen.contains("compile_error"), "{seen}");
}

#[test]
fn groups_may_be_nested_deeply() {
    for delimiter in [Delimiter::Parenthesis, Delimiter::Bracket, Delimiter::Brace, Delimiter::None] {
        let nest = |tokens: TokenStream| {
            (0..500).fold(tokens, |inside, _| TokenTree::from(Group::new(delimiter, inside)).into())
        };
        let (key, value) = (nest(quote!(umask = 0)), nest(quote!(0)));
        let (attribute, body) = (nest(quote!(a)), nest(quote!({})));
        let expansion = expand(quote!(#key, chdir = #value, notify #value), quote!(#[#attribute] fn main() { #body }));
        assert!(expansion.to_string().contains("fn main () -> :: std"));
        let _ = expand(value, nest(quote!(fn main() #body)));
    }
}
