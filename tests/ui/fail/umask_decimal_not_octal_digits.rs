use daemon_rt::daemon;

#[daemon(umask = 18)]
fn main() {}
