use daemon_rt::daemon;

#[daemon(crate = daemon_rt::)]
fn main() {}
