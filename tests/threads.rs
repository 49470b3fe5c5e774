//! A thread that was joined is no second thread, though the kernel has not put it away yet.

use support::Stage;

const PROBE: &str = env!("CARGO_BIN_EXE_probe");

#[test]
fn a_joined_thread_is_none_in_1000_starts() {
    let stage = Stage::new();
    for start in 0..1000 {
        let launch = stage.launch(stage.command(PROBE).arg("--joined-thread"));
        assert_eq!((launch.status, launch.stderr.as_str()), (0, ""), "start {start}");
        let mut daemon = stage.daemon();
        daemon.send("exit 0");
        daemon.wait();
    }
}
