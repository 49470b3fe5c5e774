//! The models in Promela name functions that exist in the sources, and spin finds no error in the models.

use std::{fs, path::Path, process::Command, time::Duration};

use support::{Stage, needs_tools};

const START: &str = include_str!("../model/start.pml");
const UPGRADE: &str = include_str!("../model/upgrade.pml");

/// A machine may be busy.
const A_SEARCH: Duration = Duration::from_secs(200);

/// Beside a step stands `/* module::function */`, in `start` unless it begins with `crate`.
fn functions(model: &str) -> Vec<&str> {
    let comments = model.split("/* ").skip(1).filter_map(|rest| Some(rest.split_once(" */")?.0));
    comments.flat_map(|comment| comment.split(", ")).filter(|name| name.contains("::") && !name.contains(' ')).collect()
}

fn names_what_there_is(model: &str) {
    let functions = functions(model);
    assert!(functions.len() > 20, "{functions:?}");
    for name in functions {
        let (module, function) = name.rsplit_once("::").expect("a module");
        let path = match module.strip_prefix("crate::") {
            Some(module) => format!("../daemon-rt/src/{}.rs", module.replace("::", "/")),
            None => format!("../daemon-rt/src/start/{}.rs", module.replace("::", "/")),
        };
        let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_default();
        let is_there = ["(", "<"].iter().any(|next| source.contains(&format!("fn {function}{next}")));
        assert!(is_there, "no such function: {name}");
    }
}

/// In each order of steps.
fn holds(model: &str) {
    needs_tools!("spin", "cc");
    let stage = Stage::new();
    fs::write(stage.path("model"), model).expect("write the model");
    let run = |command: &mut Command| {
        let launch = stage.start(command).end_within(A_SEARCH).expect("an end");
        assert_eq!(launch.status, 0, "{launch:?}");
        launch.stdout
    };
    run(stage.command("spin").args(["-a", "model"]));
    // A process that may be stopped leaves no order out.
    run(stage.command("cc").args(["-O1", "-w", "-DSAFETY", "-DNOREDUCE", "-DMEMLIM=512", "-o", "verify", "pan.c"]));
    let verdict = run(stage.command(stage.path("verify")).args(["-E", "-n"])); // at the end: who may still be waiting
    assert!(verdict.contains(" errors: 0\n") && !verdict.contains("not completed"), "{verdict}");
}

#[test]
fn a_start_is_as_the_sources_have_it() {
    names_what_there_is(START);
}

#[test]
fn an_upgrade_is_as_the_sources_have_it() {
    names_what_there_is(UPGRADE);
}

#[test]
fn an_upgrade_leaves_one_generation_or_none() {
    holds(UPGRADE);
}

#[test]
fn a_start_leaves_nobody_over_and_tells_no_lie() {
    holds(START);
}
