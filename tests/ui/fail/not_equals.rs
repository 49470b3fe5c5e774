use daemon_rt::daemon;

#[daemon(stdout: "/tmp/log")]
fn main() {}
