use daemon_rt::daemon;

#[daemon(chdir = "/tmp\0/x")]
fn main() {}
