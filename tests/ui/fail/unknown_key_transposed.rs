use daemon_rt::daemon;

#[daemon(umaks = 0o027)]
fn main() {}
