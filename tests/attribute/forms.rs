//! Forms of `main` that the attribute accepts, as crates of their own: in every edition, among hostile names and strict
//! lints, under another name. All of them stay in the foreground.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// The copy of `forms` that is built, so that nothing is written beside the sources.
static WORKSPACE: LazyLock<PathBuf> = LazyLock::new(|| {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("forms");
    let _ = fs::remove_dir_all(&copy);
    copy_dir(&tests.join("forms"), &copy).expect("copy of the crates");
    // The same versions as here: they need no network any more.
    fs::copy(tests.join("../Cargo.lock"), copy.join("Cargo.lock")).expect("copy of Cargo.lock");
    copy
});

#[test]
fn every_edition() {
    for edition in ["2018", "2021", "2024"] {
        assert_runs(&format!("edition-{edition}"), 0, "7 in /\n", "");
    }
}

#[test]
fn every_return_type() {
    assert_runs("returns_nothing", 0, "first\n", "");
    assert_runs("returns_result", 1, "12\n", "Error: ParseIntError { kind: InvalidDigit }\n");
    assert_runs("returns_exit_code", 7, "", "");
    assert_runs("returns_never", 8, "", "");
    assert_runs("returns_termination", 9, "", "");
}

#[test]
fn attributes() {
    assert_runs("attributes", 0, "", "");
}

#[test]
fn value_of_setup() {
    assert_runs("setup", 0, "one 2\n", "");
    assert_runs("setup_of_nothing", 1, "", "setup_of_nothing: no luck\n");
    assert_runs("borrowed_value", 0, "Ok(127.0.0.1)\n", "");
}

#[test]
fn tokio() {
    assert_runs("tokio_below", 0, "tokio\n", "");
    assert_runs("tokio_above", 0, "tokio\n", "");
    assert_runs("tokio_listener", 0, "127.0.0.1\n", "");
}

#[test]
fn macro_rules() {
    assert_runs("macro_rules", 0, "macro\n", "");
    assert_runs("macro_rules_item", 0, "item\n", "");
}

#[test]
fn renamed_crate() {
    assert_runs("renamed", 0, "renamed\n", "");
}

#[test]
fn hostile_names() {
    assert_runs("hostile", 1, "hostile\n", "");
}

#[test]
fn no_lint_is_broken() {
    if !cargo(&["clippy", "--version"]).status.success() {
        println!("skipped: needs clippy");
        return;
    }
    let clippy = cargo(&["clippy", "--quiet", "--offline", "--workspace", "--all-targets"]);
    assert!(clippy.status.success(), "{}", String::from_utf8_lossy(&clippy.stderr));
}

#[test]
fn tests_of_a_program_that_detaches() {
    let tests = cargo(&["test", "--offline", "--package", "harness"]);
    let said = String::from_utf8_lossy(&tests.stdout);
    assert!(said.contains("test tests::answer ... ok"), "{said}{}", String::from_utf8_lossy(&tests.stderr));
    assert!(tests.status.success());
}

#[track_caller]
fn assert_runs(program: &str, code: i32, stdout: &str, stderr: &str) {
    let output = cargo(&["run", "--quiet", "--offline", "--bin", program]);
    let seen = (output.status.code(), String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(seen, (Some(code), stdout.into(), stderr.into()), "{program}");
}

fn cargo(arguments: &[&str]) -> Output {
    Command::new(env::var_os("CARGO").expect("cargo runs this test"))
        .args(arguments)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("forms-target"))
        .current_dir(&*WORKSPACE)
        .output()
        .expect("cargo starts")
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let from = entry?.path();
        let to = to.join(from.file_name().unwrap_or_default());
        if from.is_dir() {
            copy_dir(&from, &to)?;
        } else {
            copy_file(&from, &to)?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(from)?.replace("../../../", &format!("{}/", root.display()));
    fs::write(to, text)?;
    // What is no newer than its build is not built again.
    File::options().write(true).open(to)?.set_modified(from.metadata()?.modified()?)
}
