use daemon_rt::daemon;

#[daemon(detach = true)]
fn main() {}
