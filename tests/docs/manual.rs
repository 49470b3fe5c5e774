//! The manual has every option, and its links lead somewhere.

use std::{fs, path::Path, process::Command};

const MANUAL: &str = include_str!("../../daemon-rt/src/manual.md");
/// Its methods have the descriptions of the options.
const DAEMON: &str = include_str!("../../daemon-rt/src/daemon.rs");
const ATTRIBUTE: &str = include_str!("../../daemon-macro/src/lib.rs");
const COMING_FROM: &str = include_str!("../../daemon-rt/src/docs/coming_from.md");
const WHERE_WILL_IT_RUN: &str = include_str!("../../daemon-rt/src/docs/where_will_it_run.md");
const WHAT_NOBODY_CAN_CHANGE: &str = include_str!("../../daemon-rt/src/docs/what_nobody_can_change.md");
const DEPENDENCIES: &str = include_str!("../../daemon-rt/src/docs/dependencies.md");
const SECURITY: &str = include_str!("../../daemon-rt/src/docs/security.md");
const PROBE: &str = include_str!("../programs/probe.rs");

#[test]
fn every_option_has_a_section() {
    let options = options();
    let sections: Vec<_> = MANUAL.split("\n## ").skip(1).collect();
    let mut described: Vec<_> = sections
        .iter()
        .filter_map(|section| section.lines().next()?.split(" =").next())
        .flat_map(|heading| heading.split(", ").map(|name| name.trim_matches('`')))
        .collect();
    described.sort_unstable();
    let mut expected: Vec<_> = options.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(described, expected);
    for section in sections {
        assert!(section.contains("\n```no_run\n"), "no example in {section}");
    }
    for method in options.iter().filter_map(|option| method(option)) {
        assert!(MANUAL.contains(&format!("[`Daemon::{method}`]")), "no link to {method}");
    }
}

/// Here and nowhere else: the manual has a link to it.
#[test]
fn every_option_is_described_at_its_method() {
    for method in options().iter().filter_map(|option| method(option)) {
        let description = description(method);
        for part in ["Takes", "Default", "Foreground", "Errors", "Rule", "Known as"] {
            let start = format!("/// - **{part}:** ");
            assert!(description.iter().any(|line| line.starts_with(&start)), "no {part} in {method}: {description:?}");
        }
    }
}

/// An editor shows this where the attribute stands.
#[test]
fn every_option_is_named_by_the_attribute() {
    for option in options() {
        let is_named = ATTRIBUTE.contains(&format!("`{option}`")) || ATTRIBUTE.contains(&format!("`{option} = "));
        assert!(is_named, "{option}");
    }
}

/// `setup` and `crate` are given to the probe itself.
#[test]
fn the_probe_takes_every_option() {
    for option in options().iter().filter(|option| !["setup", "crate"].contains(&option.as_str())) {
        let argument = format!("\"--{}\" =>", option.replace('_', "-"));
        assert!(PROBE.contains(&argument), "{argument}");
    }
}

#[test]
fn links_to_sections_lead_somewhere() {
    let source = |path: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../daemon-rt/src").join(path);
        fs::read_to_string(path).expect("a source")
    };
    let errors = source("docs/errors.md");
    let pages = [MANUAL, COMING_FROM, WHERE_WILL_IT_RUN, WHAT_NOBODY_CAN_CHANGE, &errors, DAEMON];
    for page in pages {
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            match link.split_once('#') {
                Some(("", section)) => assert!(has_section(page, section), "{link}"),
                Some(("macro@crate::daemon", section)) => assert!(has_section(MANUAL, section), "{link}"),
                _ => {} // rustdoc knows
            }
        }
    }
}

/// The method of `Daemon` that the option calls.
fn method(option: &str) -> Option<&str> {
    match option {
        "setup" => Some("run_with"),
        "crate" => None,
        option => Some(option),
    }
}

/// The lines of the comment before the method.
fn description(method: &str) -> Vec<&'static str> {
    let lines: Vec<_> = DAEMON.lines().map(str::trim).collect();
    let is_method = |line: &str| {
        let name = line.strip_prefix("pub fn ").and_then(|line| line.strip_prefix(method));
        name.is_some_and(|rest| rest.starts_with(['(', '<']))
    };
    let end = lines.iter().position(|line| is_method(line)).expect(method);
    let comment = lines[..end].rsplit(|line| !line.starts_with("///")).next();
    comment.unwrap_or_default().to_vec()
}

/// What the attribute expects, by its own message.
fn options() -> Vec<String> {
    let message = include_str!("../ui/fail/unknown_key.stderr");
    let (_, expected) = message.split_once("expected one of ").expect(message);
    expected.lines().next().unwrap_or_default().split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// As rustdoc names the sections of a page.
fn has_section(page: &str, name: &str) -> bool {
    page.lines().filter(|line| line.starts_with('#')).any(|heading| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).eq(name.chars())
    })
}

/// Cargo's own list is compared, with the features.
#[test]
fn every_dependency_has_its_reason() {
    let arguments =
        ["tree", "--package", "daemon-rt", "--edges", "normal,build", "--prefix", "none", "--format", "{p} {f}"];
    let tree = Command::new(env!("CARGO")).args(arguments).output().expect("start cargo");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("text");
    let mut packages: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    packages.retain(|package| !["", "daemon-rt", "[build-dependencies]"].contains(package));
    packages.sort_unstable();
    packages.dedup();
    let rows = DEPENDENCIES.lines().filter_map(|row| row.strip_prefix("| `")?.split_once('`'));
    let mut explained: Vec<_> = rows.clone().map(|(package, _)| package).collect();
    explained.sort_unstable();
    assert_eq!(explained, packages);
    for (package, reason) in rows.filter(|(package, _)| ["nix", "syn"].contains(package)) {
        let line = tree.lines().find(|line| line.starts_with(&format!("{package} v"))).expect("a line");
        let features = line.rsplit(' ').next().unwrap_or_default();
        for feature in features.split(',').filter(|&feature| feature != "feature") {
            assert!(reason.contains(&format!("`{feature}`")), "{package}: {feature}");
        }
    }
}

/// `module::function`, where the module is a file.
#[test]
fn every_promise_of_security_has_its_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rows: Vec<_> =
        SECURITY.lines().filter(|line| line.starts_with("| ") && *line != "| Promise | Test |").collect();
    assert!(rows.len() > 20, "{rows:?}");
    for row in rows {
        let named: Vec<_> = row.split('`').skip(1).step_by(2).filter_map(|code| code.rsplit_once("::")).collect();
        assert!(!named.is_empty(), "no test: {row}");
        for (module, function) in named {
            let file = tests.join(module.replace("::", "/")).with_extension("rs");
            let source = fs::read_to_string(file).unwrap_or_default();
            assert!(source.contains(&format!("#[test]\nfn {function}() {{")), "{module}::{function}");
        }
    }
}
