use daemon_rt::daemon;

#[daemon(umask = 0o027_i32)]
fn main() {}
