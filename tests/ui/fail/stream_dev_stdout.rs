use daemon_rt::daemon;

#[daemon(stdout = "/dev/stdout")]
fn main() {}
