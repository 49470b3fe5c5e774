//! The result as plain text, a column for each that is compared.

use std::fmt::{self, Display, Formatter, Write};

const TITLE_WIDTH: usize = 25;
const LEAST_WIDTH: usize = 13;

pub(crate) struct Table {
    width: usize,
    lines: Vec<String>,
}

impl Table {
    pub(crate) fn new<const COLUMNS: usize>(titles: [&str; COLUMNS]) -> Self {
        let width = titles.iter().map(|title| title.len() + 2).max().unwrap_or(0).max(LEAST_WIDTH);
        let mut table = Self { width, lines: Vec::new() };
        table.row("", titles.map(|title| Some(title.to_owned())));
        table
    }

    /// A value for each column, where there is one.
    pub(crate) fn row(&mut self, title: &str, values: impl IntoIterator<Item = Option<String>>) {
        let mut line = format!("{title:TITLE_WIDTH$}");
        for value in values {
            let _ = write!(line, "{:>1$}", value.as_deref().unwrap_or("-"), self.width); // a String takes everything
        }
        self.lines.push(line);
    }
}

impl Display for Table {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(formatter, "{line}"))
    }
}
