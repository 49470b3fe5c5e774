use daemon_rt::daemon;

#[daemon(stderr = "/proc/self/fd/2")]
fn main() {}
