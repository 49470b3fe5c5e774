use daemon_rt::daemon;

#[daemon(name = "")]
fn main() {}
