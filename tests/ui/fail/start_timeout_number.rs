use daemon_rt::daemon;

#[daemon(start_timeout = 10)]
fn main() {}
