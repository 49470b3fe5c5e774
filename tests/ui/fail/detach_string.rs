use daemon_rt::daemon;

#[daemon(detach = "never")]
fn main() {}
