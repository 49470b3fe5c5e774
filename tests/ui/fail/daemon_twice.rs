use daemon_rt::daemon;

#[daemon(umask = 0o027)]
#[daemon(chdir = "/")]
fn main() {}
