//! One of them is a list as well.

const LOG: i32 = 3;

#[daemon_rt::daemon(keep_fds = LOG)]
fn main() {}
