//! The crate `blivet`, as its documentation shows it: ready when it says so.

mod body;

use blivet::{DaemonConfig, DaemonizeError, daemonize};

fn main() -> Result<(), DaemonizeError> {
    let mut daemon = daemonize(&DaemonConfig::new())?;
    body::main(|| daemon.notify_parent().expect("a launcher that waits"));
    Ok(())
}
