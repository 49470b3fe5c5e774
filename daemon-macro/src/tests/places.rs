//! Gives each token a span of its own. After random changes, tokens have the spans of several files, or none.

use std::ops::Range;

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::TokenStreamExt;

pub(super) struct Places {
    spans: Vec<Span>,
    next: usize,
}

impl Places {
    pub(super) fn new() -> Self {
        let text = " _".repeat(100_000);
        Self { spans: text.parse::<TokenStream>().unwrap().into_iter().map(|token| token.span()).collect(), next: 0 }
    }

    /// The tokens, one after the other, and where each stream of them is, in bytes.
    pub(super) fn give<const N: usize>(&mut self, streams: [Vec<TokenTree>; N]) -> [(TokenStream, Range<usize>); N] {
        self.next = 0;
        streams.map(|tokens| {
            let start = self.reached();
            (self.place(tokens), start..self.reached())
        })
    }

    fn place(&mut self, tokens: impl IntoIterator<Item = TokenTree>) -> TokenStream {
        let mut placed = TokenStream::new();
        for token in tokens {
            let start = self.take();
            placed.append(match token {
                TokenTree::Group(group) => {
                    let inside = self.place(group.stream());
                    let mut group = Group::new(group.delimiter(), inside);
                    group.set_span(start.join(self.take()).unwrap());
                    group.into()
                }
                mut leaf => {
                    leaf.set_span(start);
                    leaf
                }
            });
        }
        placed
    }

    fn take(&mut self) -> Span {
        self.next += 1;
        self.spans[self.next - 1]
    }

    /// The end of the last place that was given.
    fn reached(&self) -> usize {
        1 + 2 * self.next
    }
}
