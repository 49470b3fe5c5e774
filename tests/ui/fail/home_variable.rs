use daemon_rt::daemon;

#[daemon(stdout = "$HOME/clockd.log")]
fn main() {}
