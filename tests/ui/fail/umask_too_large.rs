use daemon_rt::daemon;

#[daemon(umask = 0o7777)]
fn main() {}
