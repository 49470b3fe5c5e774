use daemon_rt::daemon;

#[daemon(stdout = "null")]
fn main() {}
