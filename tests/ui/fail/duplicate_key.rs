use daemon_rt::daemon;

#[daemon(umask = 0o027, chdir = "/", umask = 0o022)]
fn main() {}
