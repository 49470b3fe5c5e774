use daemon_rt::daemon;

#[daemon(umask = 0o027, notify = "yes")]
fn main() {}
