//! The file mode creation mask.

use std::os::unix::fs::PermissionsExt;

use support::Stage;

use crate::{ARRANGE, PROBE};

#[test]
fn the_launchers_umask_stays_where_the_program_wants_it() {
    let stage = Stage::new();
    let mut command = stage.command(ARRANGE);
    command.args(["--umask", "003", "--", PROBE, "--umask", "launcher"]);
    assert_eq!(stage.started(&mut command).sight.get("Umask"), "0003");
}

#[test]
fn setup_sets_an_option_for_the_daemon_alone() {
    let stage = Stage::new();
    let command = ["--detach", "always", "--umask-of-daemon", "013"];
    assert_eq!(stage.started(stage.command(PROBE).args(command)).sight.get("Umask"), "0013");
}

#[test]
fn files_have_the_permissions_that_it_leaves() {
    let stage = Stage::new();
    let mut daemon = stage.started(stage.command(PROBE).args(["--chdir", ".", "--umask", "002"]));
    daemon.ask("create file");
    assert_eq!(stage.path("file").metadata().expect("the file").permissions().mode() & 0o777, 0o664);
}
