//! The result as plain text, a column a program.

use std::fmt::{self, Display, Formatter, Write};

use crate::program::PROGRAMS;

const TITLE_WIDTH: usize = 25;
const VALUE_WIDTH: usize = 13;

pub(crate) struct Table {
    lines: Vec<String>,
}

impl Table {
    pub(crate) fn new() -> Self {
        let mut table = Self { lines: Vec::new() };
        table.row("", PROGRAMS.map(|program| Some(program.title.to_owned())));
        table
    }

    /// A value for each program, where there is one.
    pub(crate) fn row(&mut self, title: &str, values: impl IntoIterator<Item = Option<String>>) {
        let mut line = format!("{title:TITLE_WIDTH$}");
        for value in values {
            let _ = write!(line, "{:>VALUE_WIDTH$}", value.as_deref().unwrap_or("-")); // a String takes everything
        }
        self.lines.push(line);
    }
}

impl Display for Table {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(formatter, "{line}"))
    }
}
