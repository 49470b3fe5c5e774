use daemon_rt::daemon;

#[daemon(umask = -1)]
fn main() {}
