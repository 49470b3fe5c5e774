//! The inherited descriptors that a daemon keeps.

use support::Stage;

use crate::{ARRANGE, PROBE};

#[test]
fn what_it_names_is_kept_and_no_more() {
    let stage = Stage::new();
    let kept = stage.path("kept");
    let arrangement = [9, 10, 500].map(|number| format!("{number}={}", kept.display()));
    let mut command = stage.command(ARRANGE);
    command.args(arrangement.iter().flat_map(|arrangement| ["--fd", arrangement])).args(["--", PROBE]);
    assert_eq!(stage.launch(command.args(["--keep-fds", "9,500"])).status, 0);
    let daemon = stage.daemon();
    let numbers: Vec<_> = daemon.sight.descriptors().into_keys().collect();
    assert_eq!(numbers, [0, 1, 2, 9, 500]);
    assert_eq!(daemon.process.descriptor(500), Some(kept));
}
