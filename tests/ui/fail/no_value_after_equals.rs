use daemon_rt::daemon;

#[daemon(umask = , chdir = "/")]
fn main() {}
