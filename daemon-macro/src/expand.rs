//! Writes the expansion.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use crate::errors::Errors;
use crate::main_fn::MainFn;
use crate::options::{Options, Setting};

/// Puts `fn main` around the user's `fn main`. If there are mistakes, it does so as far as possible, and adds a
/// `compile_error!` for each.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::parse(options, &mut errors);
    let main = match MainFn::parse(item, &mut errors) {
        Ok(main) => main,
        Err(item) => {
            let errors = errors.to_compile_errors();
            return quote!(#errors #item);
        }
    };
    let mistakes = main.check(options.is_given("setup"));
    let can_run = mistakes.is_empty() && options.is_given("setup") == options.setup.is_some();
    errors.append(mistakes);

    let errors = errors.to_compile_errors();
    let MainFn { outer_attributes, visibility, name, .. } = &main;
    let inner = main.inner();
    let completions = completions(&options);
    let start = start(&options, can_run.then_some(&main));
    // The errors come last: rust-analyzer goes by offsets, and the errors contain the half-typed key.
    quote! {
        #(#outer_attributes)*
        #visibility fn #name() -> ::std::process::ExitCode {
            #inner
            #completions
            #start
        }
        #errors
    }
}

/// `(&mut Daemon::new()).key(value)….run(main)`, or without `.run` if there is no `main` that could run.
fn start(options: &Options, main: Option<&MainFn>) -> TokenStream {
    let Some(runtime) = &options.runtime else {
        return quote!(::std::process::ExitCode::FAILURE);
    };
    let setters = options.setters.iter().map(|Setting { key, value }| quote_spanned!(end(value)=> .#key(#value)));
    // On a `&mut`, the methods of `Daemon` are found before those of a trait that the user implements for every type.
    let daemon = quote!((&mut #runtime::Daemon::new()) #(#setters)*);
    let Some(main) = main else {
        return quote!(#daemon; ::std::process::ExitCode::FAILURE);
    };
    let callee = main.callee(options.setup.is_some());
    if let Some(Setting { key, value }) = &options.setup {
        let run_with = Ident::new("run_with", key.span());
        let arguments = quote_spanned!(end(value)=> (#value, #callee));
        quote!(#daemon.#run_with #arguments)
    } else {
        let run = Ident::new("run", main.output_span());
        quote!(#daemon.#run(#callee))
    }
}

/// Where rustc reports what is missing in `value`, as in `stdin = Stdio::`.
fn end(value: &TokenStream) -> Span {
    let last = value.clone().into_iter().last();
    Span::call_site().located_at(last.map_or_else(Span::call_site, |token| token.span()))
}

/// Unknown options as calls of methods. Only rust-analyzer sees them, and completes what is half typed.
fn completions(options: &Options) -> TokenStream {
    let (Some(runtime), false) = (&options.runtime, options.unknown.is_empty()) else {
        return TokenStream::new();
    };
    let can_be_method = |option: &&Setting| syn::parse2::<Ident>(option.key.to_token_stream()).is_ok();
    let calls = options.unknown.iter().filter(can_be_method).map(|Setting { key, value }| {
        quote! {
            #[cfg(rust_analyzer)]
            (&mut #runtime::Daemon::new()).#key(#value);
        }
    });
    quote! {
        #[allow(unexpected_cfgs)]
        fn unknown_options() {
            #(#calls)*
        }
    }
}
