//! The result as plain text, a column for each that is compared.

use std::fmt::{self, Display, Formatter, Write};

const TITLE_WIDTH: usize = 27;
const WIDTH: usize = 19;

#[derive(Default)]
pub(crate) struct Table {
    lines: Vec<String>,
}

impl Table {
    /// The rows below are about that, and about those.
    pub(crate) fn heading<const COLUMNS: usize>(&mut self, title: &str, columns: [&str; COLUMNS]) {
        if !self.lines.is_empty() {
            self.lines.push(String::new());
        }
        self.row(title, columns.map(|column| Some(column.to_owned())));
    }

    /// A value for each column, where there is one.
    pub(crate) fn row(&mut self, title: &str, values: impl IntoIterator<Item = Option<String>>) {
        let mut line = format!("{title:TITLE_WIDTH$}");
        for value in values {
            let _ = write!(line, "{:>WIDTH$}", value.as_deref().unwrap_or("-")); // a String takes everything
        }
        self.lines.push(line);
    }
}

impl Display for Table {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(formatter, "{line}"))
    }
}
