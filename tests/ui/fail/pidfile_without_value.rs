use daemon_rt::daemon;

#[daemon(pidfile)]
fn main() {}
