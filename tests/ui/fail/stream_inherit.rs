use daemon_rt::daemon;

#[daemon(stderr = "inherit")]
fn main() {}
