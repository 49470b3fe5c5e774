//! The working directory.

use support::Stage;

use crate::PROBE;

#[test]
fn a_relative_path_starts_from_the_directory_of_the_launch() {
    let stage = Stage::new();
    stage.create_directory("work");
    let mut daemon = stage.started(stage.command(PROBE).args(["--chdir", "work"]));
    let work = stage.path("work").canonicalize().expect("a path");
    assert_eq!(daemon.sight.get("directory"), work.to_str().expect("text"));
    daemon.ask("create file");
    assert!(stage.path("work/file").exists());
}
