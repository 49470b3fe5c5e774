use daemon_rt::{Daemon, daemon};

struct Failure;

fn setup(_: &mut Daemon) -> Result<(), Failure> {
    Ok(())
}

#[daemon(setup = setup)]
fn main() {}
