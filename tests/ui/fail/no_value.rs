use daemon_rt::daemon;

#[daemon(stdout)]
fn main() {}
