use daemon_rt::daemon;

#[daemon(stdin = daemon_rt::Stdio::)]
fn main() {}
