use daemon_rt::daemon;

#[daemon(notify; umask = 0o022; name = "")]
fn main() {}
