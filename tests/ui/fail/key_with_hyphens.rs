use daemon_rt::daemon;

#[daemon(start-timeout = 3, no-new-privs)]
fn main() {}
