use daemon_rt::daemon;

#[daemon(stdout = "~/log")]
fn main() {}
