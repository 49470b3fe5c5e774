use daemon_rt::daemon;

#[daemon(stop_timeout = 1.5)]
fn main() {}
