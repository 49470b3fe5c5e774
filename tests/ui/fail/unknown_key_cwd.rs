use daemon_rt::daemon;

#[daemon(cwd = "/tmp")]
fn main() {}
