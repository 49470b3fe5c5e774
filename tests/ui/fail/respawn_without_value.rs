use daemon_rt::daemon;

#[daemon(respawn)]
fn main() {}
