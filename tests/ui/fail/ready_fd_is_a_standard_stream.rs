use daemon_rt::daemon;

#[daemon(ready_fd = 2)]
fn main() {}
