use daemon_rt::daemon;

#[daemon(umask = "u=rwx,g=rx,o=")]
fn main() {}
