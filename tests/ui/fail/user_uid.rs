use daemon_rt::daemon;

#[daemon(uid = 33)]
fn main() {}
