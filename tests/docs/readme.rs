//! Everything on the README's page that can be run or compared.

use std::{
    fs,
    io::ErrorKind,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::{signal::Signal, wait::WaitStatus};
use support::{Process, Stage, eventually, skip};

use crate::cargo::{example, subcommand};

/// A reader finds every piece of code in a program that is compiled and run.
#[test]
fn code_stands_in_the_examples() {
    let examples: Vec<_> = fs::read_dir(root().join("examples"))
        .expect("the examples")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| if path.is_dir() { path.join("main.rs") } else { path })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| fs::read_to_string(path).expect("an example"))
        .collect();
    let blocks = blocks("rust");
    assert_eq!(blocks.len(), 3);
    for code in &blocks {
        assert!(examples.iter().any(|example| example.contains(code)), "in no example:\n{code}");
    }
    assert_eq!(without_title("hello"), blocks[0]);
}

/// What the tests of the service run.
#[test]
fn unit_is_that_of_the_service() {
    let file = fs::read_to_string(root().join("examples/service/service.service")).expect("a file");
    let blocks = blocks("ini");
    assert_eq!(blocks.len(), 1);
    assert!(file.contains(&blocks[0]), "{}", blocks[0]);
}

/// The README claims nothing about other libraries but what the audit found.
#[test]
fn grades_are_those_of_the_audit() {
    let audit = fs::read_to_string(root().join("daemon-rt/src/docs/side_by_side.md")).expect("the audit");
    let sources = cells(&audit, "| | process |");
    let readme = readme();
    let shown = cells(&readme, "| Criteria met |");
    for (row, source) in
        [("| by daemon(7) and others |", "daemon(7) and others"), ("| by this crate's own contract |", "contract")]
    {
        let grades = cells(&readme, row);
        assert_eq!(grades.len(), shown.len());
        let column = sources.iter().position(|audited| audited == source).expect(source);
        for (name, grade) in shown.iter().zip(&grades).skip(1) {
            assert_eq!(&cells(&audit, &format!("| {name} |"))[column], grade, "{name}");
        }
    }
}

#[test]
fn commands_do_what_they_say() {
    example("clock");
    let stage = Stage::new();
    for command in blocks("sh").iter().flat_map(|block| block.lines()) {
        let words: Vec<_> = command.split('#').next().unwrap_or_default().split_whitespace().collect();
        match words[..] {
            ["cargo", ref arguments @ ..] => {
                let launch = stage.launch(subcommand(&mut stage.command(env!("CARGO")), arguments));
                assert_eq!((launch.status, launch.stdout.as_str()), (0, ""), "{command}: {}", launch.stderr);
            }
            ["tail", "-f", log] => shows_two_lines(&stage, stage.command("tail").args(["-f", log])),
            ["pgrep", ref selection @ ..] => assert_selected(&stage, selection),
            // pkill(1) selects as pgrep(1) does, but the clocks of others are not for a test to stop.
            ["pkill", ref selection @ ..] => {
                assert_selected(&stage, selection);
                let daemon = the_daemon(&stage);
                daemon.signal(Signal::SIGTERM);
                assert!(matches!(daemon.wait(), WaitStatus::Signaled(_, Signal::SIGTERM, _)));
            }
            _ => panic!("no test tries `{command}`"),
        }
    }
    assert_eq!(stage.processes(), []);
}

#[test]
fn message_is_what_the_example_prints() {
    let stage = Stage::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = taken.local_addr().expect("an address").to_string();
    let launch = stage.launch(stage.command(example("setup")).args(["--listen", &address]));
    let message = launch.stderr.replace(&address, "127.0.0.1:8080");
    assert!(readme().contains(&format!("the terminal shows `{}`", message.trim_end())), "{message}");
}

/// The table has exactly the options that the attribute's own message lists.
#[test]
fn table_has_every_option() {
    let message = fs::read_to_string(root().join("tests/ui/fail/unknown_key.stderr")).expect("a message");
    let (_, expected) = message.split_once("expected one of ").expect(&message);
    let expected: Vec<_> = quoted(expected.lines().next().unwrap_or_default());

    let readme = readme();
    let rows = readme.lines().skip_while(|line| !line.starts_with("| For | Options |")).skip(2);
    let mut named: Vec<_> = rows.take_while(|line| line.starts_with('|')).flat_map(quoted).collect();
    named.sort_unstable();
    let mut sorted = expected.clone();
    sorted.sort_unstable();
    assert_eq!(named, sorted);
}

/// Those of CONTRIBUTING.md, too: it names every room by a link. A release makes the README's absolute: see `.ci/bump`.
#[test]
fn links_lead_somewhere() {
    for page in ["README.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(page)).expect(page);
        let targets: Vec<_> = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        assert!(targets.len() > 5, "{targets:?}");
        let files = targets.into_iter().map(|target| target.split_once("/HEAD/").map_or(target, |(_, file)| file));
        for target in files.filter(|file| !file.starts_with("https://")) {
            let (file, section) = target.split_once('#').unwrap_or((target, ""));
            assert!(root().join(file).exists(), "{page}: {target}");
            let heading = format!("# {}", section.replace('-', " "));
            let has_section = || fs::read_to_string(root().join(file)).expect(file).to_lowercase().contains(&heading);
            assert!(section.is_empty() || has_section(), "{page}: {target}");
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("the README")
}

/// The fenced blocks in a language.
fn blocks(language: &str) -> Vec<String> {
    let readme = readme();
    let fence = format!("\n```{language}\n");
    readme.split(&fence).skip(1).filter_map(|rest| Some(format!("{}\n", rest.split_once("\n```\n")?.0))).collect()
}

/// An example without the comment that it opens with.
fn without_title(example: &str) -> String {
    let text = fs::read_to_string(root().join("examples").join(example).with_extension("rs")).expect("an example");
    let (title, code) = text.split_once("\n\n").expect("a title");
    assert!(title.starts_with("//! "), "{title}");
    code.to_owned()
}

/// The cells of the first row that begins so.
fn cells(page: &str, row: &str) -> Vec<String> {
    let row = page.lines().find(|line| line.starts_with(row)).expect(row);
    row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// What stands between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn the_daemon(stage: &Stage) -> Process {
    eventually("a single process", || match stage.processes()[..] {
        [daemon] => Some(daemon),
        _ => None,
    })
}

fn shows_two_lines(stage: &Stage, command: &mut Command) {
    let mut child = command.stdout(stage.create("shown")).spawn().expect("start tail");
    eventually("two lines", || stage.read("shown").lines().nth(1).map(drop));
    child.kill().and_then(|()| child.wait()).expect("end tail"); // as Ctrl-C does
}

fn assert_selected(stage: &Stage, selection: &[&str]) {
    let daemon = the_daemon(stage);
    match stage.command("pgrep").args(selection).output() {
        Ok(output) => {
            let selected = String::from_utf8_lossy(&output.stdout);
            assert!(selected.lines().any(|pid| pid == daemon.0.to_string()), "{selection:?}: {selected}");
        }
        Err(error) if error.kind() == ErrorKind::NotFound => skip("pgrep"),
        Err(error) => panic!("{error}"),
    }
}
