use super::Daemon;
use crate::Stdio;

/// Address space layout randomization keeps the addresses of code secret. No log should show them.
#[test]
#[cfg_attr(miri, ignore = "Miri has no sigaction")]
fn its_debug_output_tells_no_address() {
    let mut daemon = Daemon::new();
    daemon.stdout(Stdio::append("log").rotate(50, 1));
    let shown = format!("{:?}", daemon.user("nobody").reopen_logs(true));
    assert!(["nobody", "Changes", "ReopenLogs", "RotateLogs"].iter().all(|word| shown.contains(word)), "{shown}");
    assert!(!shown.contains("0x"), "{shown}");
}
