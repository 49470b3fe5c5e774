//! The page of the documentation: page.md with the results.

use std::fmt::Write;

use crate::{
    compared::{Compared, Note},
    criteria::{CONTRACT, CRITERIA},
    grade,
    program::Program,
    verdict::{Objection, Verdict},
};

/// For each program the verdicts by the criteria.
type Verdicts = [Vec<Verdict>];

pub(crate) fn of(compared: &[Compared]) -> String {
    let programs: Vec<&Program> = compared.iter().map(|compared| &compared.program).collect();
    let verdicts = grade::all(&programs);
    include_str!("page.md")
        .replace("{versions}", &versions(compared))
        .replace("{table}", &table(compared, &verdicts))
        .replace("{notes}", &notes(compared))
        .replace("{seen}", &seen(compared, &verdicts))
}

fn versions(compared: &[Compared]) -> String {
    let versions: Vec<_> =
        compared.iter().map(|compared| format!("{} ({})", compared.title, compared.version)).collect();
    versions.join(", ")
}

fn table(compared: &[Compared], verdicts: &Verdicts) -> String {
    let notes = numbered_notes(compared);
    let titles: Vec<_> = compared.iter().map(|compared| compared.title).collect();
    let mut table = row("", "Criterion", "Source", &titles);
    table += &row("---", "---", "---", &vec![":-:"; titles.len()]);
    for (index, criterion) in CRITERIA.iter().enumerate() {
        let marks: Vec<_> = compared
            .iter()
            .zip(verdicts)
            .map(|(compared, verdicts)| mark(&verdicts[index]).to_owned() + &reference(&notes, compared, criterion.id))
            .collect();
        table += &row(criterion.id, criterion.rule, criterion.source, &marks);
    }
    for (title, is_contract) in [("met, by daemon(7) and others", false), ("met, by the contract", true)] {
        let counts: Vec<_> = verdicts.iter().map(|verdicts| count(verdicts, is_contract)).collect();
        table += &row("", title, "", &counts);
    }
    table.trim_end().to_owned()
}

fn row(id: &str, rule: &str, source: &str, cells: &[impl AsRef<str>]) -> String {
    let mut row = format!("| {id} | {rule} | {source} |");
    for cell in cells {
        let _ = write!(row, " {} |", cell.as_ref()); // a String takes everything
    }
    row + "\n"
}

fn mark(verdict: &Verdict) -> &'static str {
    match verdict {
        Ok(_) => "✓",
        Err(Objection::NotMet(_)) => "✗",
        Err(Objection::NotApplicable(_)) => "–",
    }
}

/// How many are met, of those that there is something to look at for.
fn count(verdicts: &[Verdict], is_contract: bool) -> String {
    let verdicts = CRITERIA.iter().zip(verdicts).filter(|(criterion, _)| (criterion.source == CONTRACT) == is_contract);
    let applicable: Vec<_> = verdicts
        .map(|(_, verdict)| verdict)
        .filter(|verdict| !matches!(verdict, Err(Objection::NotApplicable(_))))
        .collect();
    let met = applicable.iter().filter(|verdict| verdict.is_ok()).count();
    format!("{met} of {}", applicable.len())
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

/// What was seen of those who do not meet a criterion; who did the same stands together.
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
