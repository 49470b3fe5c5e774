//! Random changes of token streams.

use std::{
    env, iter,
    ops::{Range, RangeInclusive},
};

use fastrand::Rng;
use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};

/// What may be inserted anywhere. The lexer joins punctuation as it is joined here.
const WORDS: &str = r##"
    name stdin stdout umask pidfile keep_fds notify setup crate umaks pid_file typo r#umask r#fn r#main
    main fn pub async unsafe extern const where struct impl dyn as move if else match loop break return for let mut ref
    in static self Self super true _ tokio daemon doc macro_rules a b Vec T
    , ; : :: = == => -> . .. ..= ... < << <= > >> >= | || & && ! ? + - * / % ^ # $ @ ~ += 'a '_ a, a = < b > < a, |a| a
    022 22 8 0 0o022 0o1000 0x200 1_0u32 1e400 1.0 99999999999999999999999999999999999999999999
    "" "/" "null" "-" "~" "\0" "ü" r#"""# b"" c"/" 'x' b'x'
    () (a: A, b: B) (...) [3, 4] {} { a } #[daemon] #[daemon(a)] #[a::b] #![c]
"##;

/// The seeds of a test. They are the same in every run. If one fails, `CASES=number` makes it the last.
pub(super) fn cases() -> RangeInclusive<u64> {
    1..=env::var("CASES").map_or(4000, |number| number.parse().unwrap())
}

pub(super) struct Mutator {
    rng: Rng,
    /// The delimiters of the groups that it makes.
    delimiters: &'static [Delimiter],
    words: Vec<TokenTree>,
}

impl Mutator {
    pub(super) fn new(delimiters: &'static [Delimiter]) -> Self {
        let words = WORDS.parse::<TokenStream>().unwrap().into_iter().collect();
        Self { rng: Rng::with_seed(0), delimiters, words }
    }

    /// From here on, the choices follow from this seed.
    pub(super) fn seed(&mut self, seed: u64) {
        self.rng.seed(seed);
    }

    pub(super) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.rng.usize(..choices.len())]
    }

    /// Makes up to four changes. They may insert tokens from `others`.
    pub(super) fn mutate(&mut self, tokens: &mut Vec<TokenTree>, others: &[TokenTree]) {
        for _ in 0..self.rng.u8(..5) {
            self.change(tokens, others);
        }
    }

    /// In `tokens` or in a group of them.
    fn change(&mut self, tokens: &mut Vec<TokenTree>, others: &[TokenTree]) {
        let groups = tokens.iter_mut().filter_map(|tree| match tree {
            TokenTree::Group(group) => Some(group),
            _ => None,
        });
        let group = self.rng.choice(groups.collect::<Vec<_>>());
        if let Some(group) = group.filter(|_| self.rng.bool()) {
            let mut inside = Vec::from_iter(group.stream());
            self.change(&mut inside, others);
            *group = Group::new(group.delimiter(), inside.into_iter().collect());
            return;
        }
        let range = self.range(tokens.len());
        let part = tokens[range.clone()].to_vec();
        let changed: Vec<_> = match self.rng.u8(..8) {
            0 => vec![],
            1 => [&part[..], &part].concat(),
            2 => part.into_iter().rev().collect(),
            3 => vec![self.token()],
            4 => [&part[..], &[self.token()]].concat(),
            5 => others[self.range(others.len())].to_vec(),
            6 => vec![Group::new(*self.one_of(self.delimiters), part.into_iter().collect()).into()],
            _ => part.into_iter().flat_map(contents).collect(),
        };
        tokens.splice(range, changed);
    }

    /// A range of up to four of `len`.
    fn range(&mut self, len: usize) -> Range<usize> {
        let start = self.rng.usize(..=len);
        start..self.rng.usize(start..=len.min(start + 4))
    }

    fn token(&mut self) -> TokenTree {
        match self.rng.u8(..32) {
            0 => Literal::u128_unsuffixed(self.rng.u128(..)).into(),
            1 => Literal::i32_unsuffixed(self.rng.i32(i32::MIN..0)).into(),
            2 => Literal::string(&self.text(40)).into(),
            3 => Ident::new(&format!("a{}", self.rng.u16(..)), Span::call_site()).into(),
            4 => {
                let depth = self.rng.usize(1..6);
                let delimiter = *self.one_of(self.delimiters);
                self.nested(delimiter, depth)
            }
            _ => self.words[self.rng.usize(..self.words.len())].clone(),
        }
    }

    fn text(&mut self, len: usize) -> String {
        let len = self.rng.usize(..len);
        iter::repeat_with(|| self.rng.char(..)).take(len).collect()
    }

    fn nested(&mut self, delimiter: Delimiter, depth: usize) -> TokenTree {
        let innermost = self.token();
        let wrapped = |tree, _| Group::new(delimiter, TokenStream::from_iter([tree])).into();
        (0..depth).fold(innermost, wrapped)
    }
}

fn contents(tree: TokenTree) -> Vec<TokenTree> {
    match tree {
        TokenTree::Group(group) => group.stream().into_iter().collect(),
        leaf => vec![leaf],
    }
}
