use daemon_rt::daemon;

#[daemon(user = 33u16)]
fn main() {}
