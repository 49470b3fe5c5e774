//! The annotated function. Only its head is read. The body is one opaque group, whatever it contains.

use proc_macro2::{Group, Ident, Spacing, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};

use crate::attribute::Attribute;
use crate::errors::Errors;
use crate::expression::parameter_len;
use crate::item::Item;
use crate::tokens::{is_punct, is_word};

/// The parts of `#[attribute] pub async fn main(value: T) -> R { body }`.
pub(crate) struct MainFn {
    pub(crate) outer_attributes: Vec<Attribute>,
    inner_attributes: Vec<Attribute>,
    pub(crate) visibility: TokenStream,
    /// `async`, and words that are not allowed there.
    qualifiers: Vec<TokenTree>,
    pub(crate) name: Ident,
    generics: TokenStream,
    /// In parentheses, without the `...` of a variadic function.
    parameters: Group,
    variadic: Option<TokenStream>,
    /// The return type and a `where` clause.
    output: Vec<TokenTree>,
    body: TokenTree,
}

impl MainFn {
    /// Takes the item apart. `Err` has the replacement for an item that is not a program's `fn main` with a body.
    pub(crate) fn parse(whole: TokenStream, errors: &mut Errors) -> Result<Self, TokenStream> {
        let mut item = Item::new(whole.clone());
        let attributes = without_daemon(item.attributes(), errors);
        let (outer_attributes, inner_attributes) = attributes.into_iter().partition(Attribute::goes_outside);
        let visibility = item.visibility();
        let qualifiers = item.qualifiers();
        let name = match item.fn_main() {
            Ok(name) => name,
            Err((at, found)) => {
                // If nothing was found, the error points to everything before it.
                let at = if at.is_empty() { whole.clone() } else { at };
                let expected = "#[daemon] goes on the program's `fn main`";
                errors.push(at, format_args!("{expected}, found {found}"));
                return Err(whole);
            }
        };
        let generics = item.generics();
        let parameters = item.parameters();
        if let Some(receiver) = parameters.as_ref().and_then(receiver) {
            errors.push(receiver, "`main` cannot take `self`; put #[daemon] on the program's `fn main`");
            return Err(whole);
        }
        let (Some(parameters), Some(body)) = (parameters, item.body()) else {
            errors.push(name, "#[daemon] main needs a body: `fn main() {}`");
            return Err(quote!(
                fn main() {}
            ));
        };
        let (parameters, variadic) = without_variadic(parameters);
        Ok(MainFn {
            outer_attributes,
            inner_attributes,
            visibility,
            qualifiers,
            name,
            generics,
            parameters,
            variadic,
            output: item.rest(),
            body,
        })
    }

    /// The mistakes in the head of the function.
    pub(crate) fn check(&self, has_setup: bool) -> Errors {
        let mut errors = Errors::default();
        self.check_qualifiers(&mut errors);
        self.check_generics(&mut errors);
        self.check_parameters(has_setup, &mut errors);
        self.check_runtime(&mut errors);
        errors
    }

    fn check_qualifiers(&self, errors: &mut Errors) {
        for qualifier in &self.qualifiers {
            match qualifier {
                TokenTree::Ident(word) if word != "async" => {
                    errors.push(word, format_args!("#[daemon] main cannot be `{word}`"));
                }
                _ => {}
            }
        }
    }

    fn check_generics(&self, errors: &mut Errors) {
        if !self.generics.is_empty() {
            errors.push(&self.generics, "#[daemon] main cannot be generic");
        }
        if let Some(token) = self.output.iter().find(|token| is_word(token, "where")) {
            errors.push(token, "#[daemon] main cannot have a `where` clause");
        }
    }

    fn check_parameters(&self, has_setup: bool, errors: &mut Errors) {
        if let Some(dots) = &self.variadic {
            errors.push(dots, "#[daemon] main cannot be variadic");
        }
        let parameters = Vec::from_iter(self.parameters.stream());
        let surplus = &parameters[parameter_len(&parameters)..];
        if !has_setup && !parameters.is_empty() {
            errors.push(
                self.parameters.stream(),
                "`main` takes an argument only with `setup = path`: the value that `setup` returned; \
                 without it, write `fn main()`",
            );
        } else if !surplus.is_empty() {
            errors.push(
                quote!(#(#surplus)*),
                "`main` takes one argument, the value that `setup` returned: `fn main(value: T)`, \
                 or `fn main((a, b): (A, B))` if that is a tuple",
            );
        }
    }

    fn check_runtime(&self, errors: &mut Errors) {
        if self.inner_attributes.iter().any(Attribute::may_start_runtime) {
            return;
        }
        if let Some(token) = self.qualifiers.iter().find(|token| is_word(token, "async")) {
            errors.push(
                token,
                "`async fn main` needs a runtime: add its attribute below this one, \
                 e.g. `#[tokio::main]`, so that it starts after the fork",
            );
        }
    }

    /// The inner function as a value that can be called with what `setup` returned, if there is a `setup`.
    pub(crate) fn callee(&self, has_setup: bool) -> TokenStream {
        let name = self.inner_name();
        let parameters = &self.parameters;
        if !has_setup {
            quote!(#name)
        } else if self.takes_value() {
            // If `setup` returned another type, the error points to the parameter.
            quote_spanned!(parameters.span().resolved_at(Span::mixed_site())=> |__value| #name(__value))
        } else {
            quote!(|#parameters| #name())
        }
    }

    /// Where the return type is, so that rustc's errors about it point there.
    pub(crate) fn output_span(&self) -> Span {
        let arrow = 2;
        let place = self.output.get(arrow).map_or_else(Span::call_site, TokenTree::span);
        Span::call_site().located_at(place)
    }

    /// The function as it was written, without the attributes that went to the outer one. A `const` is removed, too: it
    /// would cause errors all over the body.
    pub(crate) fn inner(&self) -> TokenStream {
        let Self { inner_attributes, generics, parameters, output, body, .. } = self;
        let qualifiers = self.qualifiers.iter().filter(|word| !is_word(word, "const"));
        let name = self.inner_name();
        quote! {
            #(#inner_attributes)* #(#qualifiers)* fn #name #generics #parameters #(#output)* #body
        }
    }

    /// tokio refuses arguments if the name is `main`.
    fn inner_name(&self) -> Ident {
        if self.takes_value() { Ident::new("__daemon_main", self.name.span()) } else { self.name.clone() }
    }

    fn takes_value(&self) -> bool {
        !self.parameters.stream().is_empty()
    }
}

/// Removes a second `#[daemon]`, which would start a daemon inside the first.
fn without_daemon(mut attributes: Vec<Attribute>, errors: &mut Errors) -> Vec<Attribute> {
    attributes.retain(|attribute| {
        if attribute.is_daemon() {
            errors.push(attribute, "duplicate #[daemon] attribute");
        }
        !attribute.is_daemon()
    });
    attributes
}

/// The `self` of a method, as in `&'a mut self`.
fn receiver(parameters: &Group) -> Option<TokenTree> {
    let mut tokens = parameters.stream().into_iter().peekable();
    if tokens.next_if(|token| is_punct(token, '&')).is_some() && tokens.next_if(|token| is_punct(token, '\'')).is_some()
    {
        tokens.next(); // the name of the lifetime
    }
    tokens.next_if(|token| is_word(token, "mut"));
    let receiver = tokens.next_if(|token| is_word(token, "self"))?;
    // `self::Port(port): Port` is a pattern.
    let is_in_path = matches!(tokens.next(), Some(TokenTree::Punct(colon)) if colon.as_char() == ':' && colon.spacing() == Spacing::Joint);
    (!is_in_path).then_some(receiver)
}

/// Splits off the last parameter if it is `...`.
fn without_variadic(parameters: Group) -> (Group, Option<TokenStream>) {
    let tokens = Vec::from_iter(parameters.stream());
    let mut rest = tokens.as_slice();
    while parameter_len(rest) < rest.len() {
        rest = &rest[parameter_len(rest)..];
    }
    let last: TokenStream = rest.iter().cloned().collect();
    if !last.to_string().trim_end_matches([' ', ',']).ends_with("...") {
        return (parameters, None);
    }
    let others = &tokens[..tokens.len() - rest.len()];
    (Group::new(parameters.delimiter(), quote!(#(#others)*)), Some(last))
}
