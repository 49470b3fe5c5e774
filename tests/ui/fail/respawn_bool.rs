use daemon_rt::daemon;

#[daemon(respawn = true)]
fn main() {}
