use daemon_rt::daemon;

#[daemon("/tmp/log", chdir = "/")]
fn main() {}
