use daemon_rt::daemon;

#[daemon(umask = 22)]
fn main() {}
