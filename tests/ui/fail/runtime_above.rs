use daemon_rt::{Daemon, daemon};

fn setup(_: &mut Daemon) -> Result<u16, String> {
    Ok(80)
}

#[tokio::main]
#[daemon(setup = setup)]
async fn main(_: u16) {}
