//! The page of the documentation: page.md with the results.

use std::fmt::Write;

use crate::{
    compared::{Compared, Note},
    criteria::{CONTRACT, CRITERIA, Criterion, GROUPS, Group},
    grade,
    program::Program,
    verdict::{Objection, Verdict},
};

/// For each program the verdicts by the criteria.
type Verdicts = [Vec<Verdict>];

pub(crate) fn of(compared: &[Compared], facts: &str) -> String {
    let programs: Vec<&Program> = compared.iter().map(|compared| &compared.program).collect();
    let verdicts = grade::all(&programs);
    include_str!("page.md")
        .replace("{versions}", &versions(compared))
        .replace("{summary}", &summary(compared, &verdicts))
        .replace("{facts}", facts)
        .replace("{tables}", &tables(compared, &verdicts))
        .replace("{notes}", &notes(compared))
        .replace("{seen}", &seen(compared, &verdicts))
}

fn versions(compared: &[Compared]) -> String {
    let versions: Vec<_> =
        compared.iter().map(|compared| format!("{} ({})", compared.title, compared.version)).collect();
    versions.join(", ")
}

/// How many are met, a row for each.
fn summary(compared: &[Compared], verdicts: &Verdicts) -> String {
    let heads: Vec<_> = GROUPS.iter().map(|group| group.short).chain(["daemon(7) and others", "contract"]).collect();
    let mut table = format!("| | {} |\n|---|{}", heads.join(" | "), "--:|".repeat(heads.len()));
    for (compared, verdicts) in compared.iter().zip(verdicts) {
        let groups = (0..GROUPS.len()).map(|group| count(verdicts, |index| Group::range(group).contains(&index)));
        let sources = [false, true].map(|is| count(verdicts, |index| (CRITERIA[index].source == CONTRACT) == is));
        let _ = write!(table, "\n| {} | ", compared.title); // a String takes everything
        table += &groups.chain(sources).collect::<Vec<_>>().join(" | ");
        table += " |";
    }
    table
}

/// A table for each group. The titles stand upright: rustdoc cuts off what is wider than its page.
fn tables(compared: &[Compared], verdicts: &Verdicts) -> String {
    let notes = numbered_notes(compared);
    let upright = |title: &str| format!(" <span style=\"writing-mode: vertical-rl\">{title}</span> |");
    let titles = compared.iter().map(|compared| upright(compared.title)).collect::<Vec<_>>().concat();
    let mut tables = Vec::new();
    for (number, group) in GROUPS.iter().enumerate() {
        let mut table = format!(
            "## {}\n\n| | Criterion, source |{titles}\n|---|---|{}\n",
            group.title,
            ":-:|".repeat(compared.len())
        );
        for index in Group::range(number) {
            let Criterion { id, rule, source, .. } = CRITERIA[index];
            let _ = write!(table, "| {id} | {rule} ({source}) |");
            for (compared, verdicts) in compared.iter().zip(verdicts) {
                let _ = write!(table, " {}{} |", mark(&verdicts[index]), reference(&notes, compared, id));
            }
            table.push('\n');
        }
        tables.push(table);
    }
    tables.join("\n").trim_end().to_owned()
}

fn mark(verdict: &Verdict) -> &'static str {
    match verdict {
        Ok(_) => "✓",
        Err(Objection::NotMet(_)) => "✗",
        Err(Objection::NotApplicable(_)) => "–",
    }
}

/// How many of some criteria are met, of those that there is something to look at for.
fn count(verdicts: &[Verdict], is_one: impl Fn(usize) -> bool) -> String {
    let applicable: Vec<_> = (0..CRITERIA.len())
        .filter(|&index| is_one(index))
        .map(|index| &verdicts[index])
        .filter(|verdict| !matches!(verdict, Err(Objection::NotApplicable(_))))
        .collect();
    match applicable.len() {
        0 => "–".into(),
        all => format!("{} of {all}", applicable.iter().filter(|verdict| verdict.is_ok()).count()),
    }
}

/// The texts of the notes, in the order of their numbers, and whose they are.
fn numbered_notes(compared: &[Compared]) -> Vec<(&'static str, Vec<&Compared>)> {
    let mut notes: Vec<(&str, Vec<&Compared>)> = Vec::new();
    for one in compared {
        for Note { text, .. } in one.notes {
            match notes.iter_mut().find(|(other, _)| other == text) {
                Some((_, of)) => of.push(one),
                None => notes.push((text, vec![one])),
            }
        }
    }
    notes
}

/// The number of the note that belongs to a mark, if there is one.
fn reference(notes: &[(&str, Vec<&Compared>)], compared: &Compared, id: &str) -> String {
    let Some(note) = compared.notes.iter().find(|note| note.ids.contains(&id)) else { return String::new() };
    let index = notes.iter().position(|(text, _)| *text == note.text).unwrap_or_default();
    format!("<sup>{}</sup>", index + 1)
}

fn notes(compared: &[Compared]) -> String {
    let notes = numbered_notes(compared).into_iter().enumerate().map(|(index, (text, of))| {
        let titles: Vec<_> = of.iter().map(|compared| compared.title).collect();
        format!("{}. {}: {text}", index + 1, titles.join(", "))
    });
    notes.collect::<Vec<_>>().join("\n")
}

/// What was seen of programs that do not meet a criterion. Programs with the same result share a row.
fn seen(compared: &[Compared], verdicts: &Verdicts) -> String {
    let mut lines = Vec::new();
    for (index, criterion) in CRITERIA.iter().enumerate() {
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for (compared, verdicts) in compared.iter().zip(verdicts) {
            let Err(Objection::NotMet(seen)) = &verdicts[index] else { continue };
            match groups.iter_mut().find(|(other, _)| other == seen) {
                Some((_, titles)) => titles.push(compared.title),
                None => groups.push((seen, vec![compared.title])),
            }
        }
        if groups.is_empty() {
            continue;
        }
        let groups: Vec<_> = groups.iter().map(|(seen, titles)| format!("{seen} ({})", titles.join(", "))).collect();
        lines.push(format!("- {}: {}", criterion.id, groups.join("; ")));
    }
    lines.join("\n")
}
