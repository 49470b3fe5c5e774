use daemon_rt::daemon;

#[daemon(keep_env = "PATH")]
fn main() {}
