use daemon_rt::daemon;

#[daemon(detach)]
fn main() {}
