use daemon_rt::daemon;

#[daemon(umask = "27".parse()?)]
fn main() {}
