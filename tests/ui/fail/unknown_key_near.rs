use daemon_rt::daemon;

#[daemon(stdot = "/tmp/log")]
fn main() {}
