//! What the option takes.

use support::{Stage, needs_root, needs_tools};

use crate::PROBE;

#[test]
fn limits_and_delays_that_start_nothing_again() {
    let stage = Stage::new();
    let limit = "`at_most` of `respawn` is zero: no daemon would be started again";
    let delay = "`delay` of `respawn` must be above zero and must not end below its beginning, found";
    for (value, line) in [
        ("always,0,1000", limit.to_owned()),
        ("always,5,0", limit.to_owned()),
        ("always,5,1000,0,10", format!("{delay} 0ns to 10ms")),
        ("always,5,1000,11,10", format!("{delay} 11ms to 10ms")),
    ] {
        stage.refuses(stage.command(PROBE).args(["--respawn", value]), &format!("probe: {line}"));
    }
}

#[test]
fn a_user_whom_the_supervisor_may_not_signal() {
    needs_root!();
    needs_tools!("setpriv");
    let stage = Stage::new();
    stage.open_to_all();
    let mut command = stage.command("setpriv");
    command.args(["--bounding-set", "-kill", PROBE, "--respawn", "always", "--user", "nobody", "--pidfile", "pid"]);
    stage.refuses(&mut command, "probe: cannot supervise a process of user nobody: only root can");
    // As oneself it takes nothing.
    let mut command = stage.command("setpriv");
    let _daemon = stage.started(command.args(["--bounding-set", "-kill", PROBE, "--respawn", "always"]));
}
