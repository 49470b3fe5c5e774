use daemon_rt::daemon;

#[daemon(stop_timeout)]
fn main() {}
