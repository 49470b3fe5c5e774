//! A runtime starts after the fork: nobody could await it.

use std::io;

use daemon_rt::{Daemon, daemon};

async fn setup(_: &mut Daemon) -> io::Result<()> {
    Ok(())
}

#[daemon(setup = setup)]
fn main() {}
