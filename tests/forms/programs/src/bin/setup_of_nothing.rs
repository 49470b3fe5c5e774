//! `setup` that returns nothing, and fails.

use daemon_rt::{Daemon, Detach, daemon};

fn setup(_: &mut Daemon) -> Result<(), String> {
    Err("no luck".to_owned())
}

#[daemon(setup = setup, detach = Detach::Never)]
fn main() {
    println!("unreachable");
}
