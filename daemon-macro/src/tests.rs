mod mutation;
mod places;
mod seeds;
mod ui;
mod values;
mod whatever_the_tokens;
mod whole_parser;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;

use crate::edit_distance::edit_distance;
use crate::expand::expand;

/// The expansion as text, whatever the spaces in `options` and `item`.
fn expanded(options: &str, item: &str) -> String {
    expand(options.parse().unwrap(), item.parse().unwrap()).to_string()
}

fn normal(tokens: &str) -> String {
    tokens.parse::<TokenStream>().unwrap().to_string()
}

/// Every token that is no group, wherever it stands.
fn leaves(tokens: TokenStream) -> Vec<TokenTree> {
    let flat = |token| match token {
        TokenTree::Group(group) => leaves(group.stream()),
        leaf => vec![leaf],
    };
    tokens.into_iter().flat_map(flat).collect()
}

#[test]
fn two_swapped_letters_are_one_slip() {
    for (from, to, slips) in
        [("umaks", "umask", 1), ("umask", "umask", 0), ("", "umask", 5), ("mask", "umask", 1), ("stdot", "stdout", 1)]
    {
        assert_eq!(edit_distance(from, to), slips, "{from} {to}");
        assert_eq!(edit_distance(to, from), slips, "{to} {from}");
    }
}

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
fn keys_lend_their_place_to_the_methods() {
    let options = "umask = 0o022,\n  chdir = \"/\",\n    setup = bind";
    let tokens = leaves(expand(options.parse().unwrap(), "fn main() {}".parse().unwrap()));
    for (method, line, columns) in [("umask", 1, 0..5), ("chdir", 2, 2..7), ("run_with", 3, 4..9)] {
        let token = tokens.iter().find(|token| token.to_string() == method).unwrap();
        let (start, end) = (token.span().start(), token.span().end());
        assert_eq!((start.line, end.line, start.column..end.column), (line, line, columns), "{method}");
    }
}

/// Values with what could be taken for their end.
const VALUES: &[&str] = &[
    "0o022",
    "[3, 4]",
    "f::<A, B>(1, 2)",
    "f::<A, Vec<B>, { 1 > 2 }>(1, 2)",
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
    "a as *const Vec<A, B>",
    "a as fn(A) -> Vec<A, B>",
    "a as u8 + b < c",
    "a as u8 == b",
    "<Vec<A, B> as T<C, D>>::f(1)",
    "a == <A as T<B, C>>::F",
    "if a < b { 1 } else { 2 }",
    "if let A::<B, C>::D(e) = f { 1 } else { 2 }",
    "match a { B => 1, C => 2 }",
    "'a: loop { break 'a 1, 2 }",
    "return |a, b| a",
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
    for value in VALUES {
        let seen = expanded(&format!("stdin = {value}, chdir = a > b"), "fn main() {}");
        let expected = normal(&format!(".stdin({value}).chdir(a > b).run(main)"));
        assert!(seen.contains(&expected), "{value}: {seen}");
        assert!(!seen.contains("compile_error"), "{value}: {seen}");
    }
}

#[test]
fn the_body_is_not_read() {
    let body = "{ #![allow(unused)] let = ; fn fn <<< #[daemon] , => 022 ? }";
    let seen = expanded("", &format!("fn main() {body}"));
    assert!(seen.contains(&normal(&format!("fn main() {body}"))), "{seen}");
    assert!(!seen.contains("compile_error"), "{seen}");
}

/// All lists of up to three of these, most of them nonsense.
fn lists(words: &[&str]) -> Vec<String> {
    let mut lists = vec![String::new()];
    for _ in 0..3 {
        let longer = lists.iter().flat_map(|list| words.iter().map(move |word| format!("{list} {word}")));
        lists = longer.chain([String::new()]).collect();
    }
    lists
}

#[test]
fn whatever_the_options_there_is_a_main() {
    let words = [
        ",", "=", "umask", "setup", "crate", "notify", "typo", "_", "self", "022", "\"\\0\"", "<", ">", "|", "->",
        "::", "'a", "as", "f()", "()", "{}", "#", "?", "0o7777", "for", "$crate", ";",
    ];
    for options in lists(&words) {
        let seen = expanded(&options, "fn main() { body() }");
        assert!(
            seen.contains("fn main () -> :: std :: process :: ExitCode { fn main () { body () }"),
            "{options}: {seen}"
        );
    }
}

#[test]
fn whatever_the_item_nothing_panics() {
    let words = [
        "#[a]",
        "#[daemon]",
        "#",
        "pub",
        "pub(crate)",
        "async",
        "unsafe",
        "extern \"C\"",
        "const",
        "fn",
        "fn main",
        "main",
        "()",
        "(a: A, b: B)",
        "(...)",
        "(a: A<B, C>,)",
        "<T>",
        "<",
        "-> T",
        "where",
        "{}",
        ";",
        "struct",
        "1",
    ];
    for item in lists(&words) {
        for options in ["", "setup = f"] {
            let seen = expanded(options, &item);
            assert!(seen.contains("compile_error") || seen.contains("fn main () -> :: std"), "{item}: {seen}");
        }
    }
}

#[test]
fn two_transposed_letters_are_one_slip() {
    for (slip, meant) in [("umaks", "umask"), ("anme", "name"), ("stdotu", "stdout"), ("kepe_fds", "keep_fds")] {
        let seen = expanded(&format!("{slip} = 1"), "fn main() {}");
        assert!(seen.contains(&format!("unknown option `{slip}`; did you mean `{meant}`?")), "{seen}");
    }
}

#[test]
fn octal_numbers() {
    for good in ["0", "7", "007", "0o022", "0o0_22u32", "0x12", "0b11", "0o777"] {
        let seen = expanded(&format!("umask = {good}"), "fn main() {}");
        assert!(!seen.contains("compile_error"), "{good}: {seen}");
    }
    for bad in ["8", "010", "022", "22_u32", "0o1000", "0x200", "99999999999999999999", "-1", "\"022\""] {
        let seen = expanded(&format!("umask = {bad}"), "fn main() {}");
        assert!(seen.contains("compile_error") && !seen.contains("umask ("), "{bad}: {seen}");
    }
}

/// The source text that each mistake underlines.
fn underlined(options: &str, item: &str) -> Vec<String> {
    let expansion = Vec::from_iter(expand(options.parse().unwrap(), item.parse().unwrap()));
    let errors = expansion.windows(3).filter(|trees| trees[0].to_string() == "compile_error");
    errors.map(|error| error[0].span().join(error[2].span()).unwrap().source_text().unwrap()).collect()
}

#[test]
fn mistakes_are_underlined_where_they_are() {
    for (options, item, expected) in [
        ("umask = 8, umask", "fn main() {}", &["8", "umask"][..]),
        ("setup = f", "fn main(a: A, b: B, c: C) {}", &["b: B, c: C"]),
        ("setup = f", "fn main(a: A, , b: B) {}", &[", b: B"]),
        ("", "fn main(a: A, , ...) {}", &["...", "a: A, ,"]),
        ("", "struct Server;", &["struct Server"]),
        ("", "a [b] fn main() {}", &["a"]),
        ("", "#(b) fn main() {}", &["#"]),
        ("", "#[a] pub", &["#[a] pub"]),
    ] {
        assert_eq!(underlined(options, item), expected, "#[daemon({options})] {item}");
    }
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

#[test]
fn functions_for_setup() {
    for good in ["f", "a::f::<B, C>", "f(1)", "f[]", "f::<{ 1 }>()", "a.f()", "|daemon| f()", "(f)()", "()"] {
        let seen = expanded(&format!("setup = {good}"), "fn main() {}");
        assert!(!seen.contains("compile_error"), "{good}: {seen}");
    }
    for bad in ["f()", "a::f::<B, C>()", "\"f\"", "1"] {
        let seen = expanded(&format!("setup = {bad}"), "fn main() {}");
        assert!(seen.contains("compile_error"), "{bad}: {seen}");
    }
}

#[test]
fn paths_of_the_crate() {
    for good in ["::daemon_rt", "a", "crate", "self::a", "super::a::b", "r#fn::a"] {
        let seen = expanded(&format!("crate = {good}"), "fn main() {}");
        assert!(seen.contains(&normal(&format!("(&mut {good}::Daemon::new()).run(main)"))), "{good}: {seen}");
    }
    for bad in ["a b", "a::", "::", "_", "1", "fn::a", "a::<b>", "a()"] {
        let seen = expanded(&format!("crate = {bad}"), "fn main() {}");
        assert!(seen.contains("compile_error") && !seen.contains("Daemon"), "{bad}: {seen}");
    }
}
