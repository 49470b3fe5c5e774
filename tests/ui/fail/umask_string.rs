use daemon_rt::daemon;

#[daemon(umask = "027")]
fn main() {}
