use daemon_rt::daemon;

#[daemon(stdin = "-")]
fn main() {}
