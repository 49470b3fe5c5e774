use daemon_rt::daemon;

#[daemon(umask = 0o027)]
#[daemon_rt::daemon]
fn main() {}
