use daemon_rt::daemon;

#[daemon(umask = 0o027 chdir = "/")]
fn main() {}
