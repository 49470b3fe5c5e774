//! One of them is a list as well.

#[daemon_rt::daemon(keep_fds = 3)]
fn main() {}
